/**
 * `watchman`: makes a round every now and then, until its lease expires. From that moment on no operation starts and
 * `ctx.signal` is aborted; it has a second left to say what it did, then the job is ended.
 *
 *     leasehold dev agents.ts
 *     leasehold submit watchman '{"pauseMs":1000}' --lease tool.call=look --expires 5s
 */
import { setTimeout as pause } from "node:timers/promises";
import { defineAgent } from "leasehold";
import * as v from "valibot";

export const watchman = defineAgent({
  name: "watchman",
  version: "1.0.0",
  input: v.strictObject({ pauseMs: v.pipe(v.number(), v.minValue(1)) }),
  needs: { "tool.call": { why: "to look around", patterns: ["look"] } },
  async run(ctx, { pauseMs }) {
    let rounds = 0;
    try {
      for (;;) {
        await ctx.tool("look", { round: rounds + 1 }, () => "all quiet");
        rounds += 1;
        // Whatever takes time is handed the signal: it ends at once, and not when the pause is over.
        await pause(pauseMs, undefined, { signal: ctx.signal });
      }
    } catch (error) {
      if (!ctx.signal.aborted) throw error;
      // Operations are refused by now, and this is on the log like any refusal. Telling what was done is no operation.
      await ctx.tool("look", { round: rounds + 1 }, () => "all quiet").catch(() => undefined);
      await ctx.log("warn", `the lease is over; ${rounds} rounds were made`);
      throw ctx.signal.reason;
    }
  },
});
