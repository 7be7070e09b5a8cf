/**
 * Two agents that give money back, and may not do so by their leases alone:
 *
 * - `refund` gives back one order, once a person has said yes to exactly this order and this amount.
 * - `refund-batch` asks once for many orders, and goes on until it is through, or until somebody takes the grant back.
 *
 *     leasehold dev agents.ts
 *     leasehold submit refund '{"order":"A-17","amount":"120.00"}' --lease tool.call=look-up
 *     leasehold permissions list
 *     leasehold permissions grant perm_… --for 2m
 */
import { setTimeout as pause } from "node:timers/promises";
import { defineAgent } from "leasehold";
import * as v from "valibot";

const Amount = v.pipe(v.string(), v.regex(/^\d{1,6}\.\d\d$/, "must be an amount such as 120.00"));

/** What was paid for each order. */
const PAID: Readonly<Record<string, string>> = { "A-17": "120.00", "A-18": "8.50" };

/** Stands for a payment service. */
async function pay(order: string, amount: string) {
  return { order, refunded: amount };
}

export const refund = defineAgent({
  name: "refund",
  version: "1.0.0",
  // After a crash it begins again, and finds what it has asked for, decided or not.
  restart: "always",
  input: v.strictObject({ order: v.string(), amount: Amount }),
  needs: { "tool.call": { why: "to look the order up", patterns: ["look-up"] } },
  async run(ctx, { order, amount }) {
    const paid = await ctx.tool("look-up", { order }, () => PAID[order] ?? "0.00");
    if (Number(amount) > Number(paid)) return { order, refunded: "0.00", because: `${paid} were paid` };
    // Nobody has granted `refund`: the job waits for a person, a day at most, and takes up no room meanwhile.
    return ctx.tool("refund", { order, amount }, () => pay(order, amount), {
      onDenied: "ask",
      reason: `${paid} were paid`,
    });
  },
});

export const refundBatch = defineAgent({
  name: "refund-batch",
  version: "1.0.0",
  input: v.strictObject({ orders: v.array(v.string()), amount: Amount, pauseMs: v.pipe(v.number(), v.minValue(0)) }),
  async run(ctx, { orders, amount, pauseMs }) {
    // Without arguments the grant is good for any order, as long as it lasts.
    await ctx.requestPermission({
      permission: "tool.call",
      resource: "refund",
      operation: "call",
      reason: `${orders.length} orders of a recalled product`,
      leaseSeconds: 600,
    });
    const done: string[] = [];
    for (const order of orders) {
      try {
        await ctx.tool("refund", { order, amount }, () => pay(order, amount));
        done.push(order);
        await pause(pauseMs, undefined, { signal: ctx.signal });
      } catch (error) {
        const { code } = error as { code?: string };
        if (code !== "PERMISSION_DENIED") throw error;
        await ctx.log("warn", `${order} was refused: the grant was taken back, or is over`);
        break;
      }
    }
    return { done, left: orders.filter((order) => !done.includes(order)) };
  },
});
