import { describe, expect, it } from "vitest";
import type { Amounts } from "../kernel/authority/amounts.ts";
import { anAgent, createTestKernel } from "../kernel/test-kernel.ts";
import { CodedError } from "../protocol/errors.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import type { AgentContext } from "./agent-context.ts";
import { createContext } from "./context.ts";
import { createTestHost, type TestHostOptions } from "./test-host.ts";

function open(options: TestHostOptions = {}) {
  const host = createTestHost({ budget: { USD: "1", credits: "10" }, ...options });
  const { ctx } = createContext(host, null, createFakeWorld().ids, (run, ...args) => run(...args));
  return { host, ctx, costs: () => host.entries.map(({ text }) => text) };
}

/** A job with 0.3 USD and any tool, whose agent does this. */
async function spending(work: (ctx: AgentContext) => Promise<unknown>) {
  const agent = anAgent("spender", async (host) => {
    await work(createContext(host, null, createFakeWorld().ids, (run, ...args) => run(...args)).ctx);
    return {};
  });
  const test = await createTestKernel({ agents: [agent] });
  const { job } = await test.submit("spender", null, {
    leaseRequest: { "cost.budget": ["USD:0.3"], "tool.call": ["*"] },
  });
  return {
    run: () => test.stored(job.id),
    async log(kind: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
      const entries = (await test.log(job.id)).filter(({ payload }) => payload.kind === kind);
      return entries.map(({ payload }) => payload.body as Record<string, unknown>);
    },
  };
}

describe("ctx.charge", () => {
  it("puts one metric a currency on the log, in the very digits that were given, and charges it", async () => {
    const { ctx, costs } = open();
    await ctx.charge({ USD: "0.02340", credits: 3 }, { name: "cost.inference", dimensions: { model: "m" } });
    await ctx.charge({ EUR: "7" });
    expect(costs()).toEqual([
      '{"name":"cost.inference","value":0.0234,"unit":"USD","dimensions":{"model":"m"}}',
      '{"name":"cost.inference","value":3,"unit":"credits","dimensions":{"model":"m"}}',
      '{"name":"cost.charge","value":7,"unit":"EUR"}',
    ]);
    expect(ctx.budget.remaining("USD")).toBe("0.9766");
    expect(ctx.budget.remaining("credits")).toBe("7");
  });

  it.each<[Amounts, object, string]>([
    [{ USD: "0.1", credits: -1 }, {}, "charge.amounts.credits"],
    [{ USD: "0.1", "US D": 1 }, {}, "charge.amounts.US D"],
    [{}, {}, "charge.amounts"],
    [{ USD: 1 }, { name: "price" }, "charge.name"],
    [{ USD: 1 }, { name: "cost." }, "charge.name"],
    [{ USD: 1 }, { name: "cost.budget.remaining" }, "charge.name"],
    [{ USD: 1, credits: 1 }, { dimensions: { a: {} } }, "metric.dimensions.a"],
    [{ USD: 1, credits: 1 }, { dimensions: [] }, "metric.dimensions"],
  ])("refuses %j, %j, and charges nothing of it", async (amounts, options, field) => {
    const { ctx, costs } = open();
    await expect(ctx.charge(amounts, options)).rejects.toMatchObject({ code: "INVALID_REQUEST", details: { field } });
    expect(costs()).toEqual([]);
    expect(ctx.budget.remaining("USD")).toBe("1");
  });

  it("rejects with the reason once the job is stopped", async () => {
    const { ctx, host } = open();
    const { charge } = ctx;
    host.stop(new CodedError("TIMEOUT", "too long"));
    await expect(charge({ USD: 1, credits: 1 })).rejects.toMatchObject({ code: "TIMEOUT" });
  });
});

describe("under a real budget", () => {
  it("the refusal is a tool_result, and the agent goes on [arcp-9.6-tool-result-form]", async () => {
    const { log, run } = await spending(async (ctx) => {
      await ctx.tool("search", {}, () => ctx.charge({ USD: "0.3" }));
      await ctx.tool("search", {}, () => 1).catch((error) => expect(error).toMatchObject({ code: "BUDGET_EXHAUSTED" }));
      await ctx.log("going on");
    });
    expect(await run()).toMatchObject({ status: "success" });
    const results = (await log("tool_result")).map(({ result, error }) => [result, error]);
    expect(results).toEqual([
      [null, undefined],
      [
        undefined,
        expect.objectContaining({
          code: "BUDGET_EXHAUSTED",
          retryable: false,
          details: expect.objectContaining({
            capability: "tool.call",
            target: "search",
            currency: "USD",
            remaining: "0",
          }),
        }),
      ],
    ]);
  });

  it("what remains is told, also where an upstream ran out first [arcp-9.6-remaining-metrics]", async () => {
    const { log, run } = await spending(async (ctx) => {
      const upstream = Object.assign(new Error("no credit"), { status: 402 });
      const call = ctx.tool("model", {}, async () => {
        await ctx.charge({ USD: "0.1" });
        throw ctx.translateUpstreamBudgetExhausted(upstream) ?? upstream;
      });
      await call.catch((error) => expect(error).toMatchObject({ code: "BUDGET_EXHAUSTED", cause: upstream }));
      await ctx.charge({ USD: "0.1" });
    });
    expect(await run()).toMatchObject({ status: "success" });
    expect((await log("tool_result"))[0]?.error).toMatchObject({
      code: "BUDGET_EXHAUSTED",
      details: { upstream: { status: 402, message: "no credit" } },
    });
    const told = (await log("metric")).filter(({ name }) => name === "cost.budget.remaining");
    expect(told.at(-1)).toMatchObject({ value: 0.1, unit: "USD" });
  });
});

describe("ctx.metric", () => {
  it("charges what begins with cost., and nothing else", async () => {
    const { ctx } = open();
    await ctx.metric({ name: "cost.search", value: 0.25, unit: "USD" });
    await ctx.metric({ name: "costs", value: 1, unit: "USD" });
    await ctx.metric({ name: "cost.search", value: 1 });
    expect(ctx.budget.remaining("USD")).toBe("0.75");
  });
});

describe("ctx.budget", () => {
  it("tells what is left of what is budgeted", async () => {
    const { ctx } = open();
    expect([ctx.budget.remaining("EUR"), ctx.budget.available("toString")]).toEqual([undefined, undefined]);
    await ctx.charge({ USD: "1.5" });
    expect(ctx.budget.counters()).toEqual({
      USD: { granted: "1", spent: "1.5", held: "0", remaining: "-0.5", available: "-0.5" },
      credits: { granted: "10", spent: "0", held: "0", remaining: "10", available: "10" },
    });
    expect(open({ budget: {} }).ctx.budget.counters()).toEqual({});
  });

  it("reserves, commits and releases", async () => {
    const { ctx, costs } = open();
    const one = await ctx.budget.reserve({ USD: "0.30" });
    const two = await ctx.budget.reserve({ USD: "0.30" }, { key: "second" });
    expect([ctx.budget.remaining("USD"), ctx.budget.available("USD")]).toEqual(["1", "0.4"]);
    await expect(ctx.budget.reserve({ USD: "0.5" })).rejects.toMatchObject({
      code: "BUDGET_EXHAUSTED",
      details: { currency: "USD", available: "0.4", requested: "0.5" },
    });
    await one.commit({ USD: "0.12" }, { name: "cost.inference" });
    await two.release();
    expect([ctx.budget.remaining("USD"), ctx.budget.available("USD")]).toEqual(["0.88", "0.88"]);
    expect(costs()).toEqual([
      '{"name":"cost.inference","value":0.12,"unit":"USD","dimensions":{"reservation":"hold_1"}}',
    ]);
  });

  it("releases by `await using` what was not committed, also once the job is stopped", async () => {
    const { ctx, host } = open();
    await expect(
      (async () => {
        await using reservation = await ctx.budget.reserve({ USD: "1" });
        expect(reservation.committed).toBe(false);
        expect(ctx.budget.available("USD")).toBe("0");
        throw new Error("the work failed");
      })(),
    ).rejects.toThrow("the work failed");
    expect(ctx.budget.available("USD")).toBe("1");
    {
      await using reservation = await ctx.budget.reserve({ USD: "1" });
      await reservation.commit();
    }
    expect(ctx.budget.available("USD")).toBe("0");
    await using last = await ctx.budget.reserve({ credits: 1 });
    host.stop();
    await expect(last.commit()).rejects.toMatchObject({ code: "CANCELLED" });
  });
});
