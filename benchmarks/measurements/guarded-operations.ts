/**
 * What the lease costs: operations of `ctx.tool` under patterns and a budget, beside the same events and the same wait
 * for the disk without a guard; and one question to the guard by itself. In this process: no socket takes part.
 */
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { type AgentContext, createRuntime, defineAgent } from "leasehold";
import { createGuard } from "../../src/kernel/authority/guard.ts";
import { parseLease } from "../../src/kernel/authority/lease.ts";
import { Purse } from "../../src/kernel/authority/purse.ts";
import type { Bench, Measurement } from "../bench.ts";
import type { Findings } from "../results.ts";

const IN_FLIGHT = 64;
const LEASE = {
  "tool.call": ["search", "files/**", "work-*"],
  "fs.read": ["/workspace/**", "/etc/hosts"],
  "net.fetch": ["https://*.example.com/**"],
};
const BUDGET = { USD: "1000000", credits: "1000000" };
const ARGS = { text: "as short as a question" };

export const guardedOperations: Measurement = {
  name: "guard",
  async run(bench: Bench): Promise<Findings> {
    const operations = bench.size(50_000, 500);
    const checks = bench.size(1_000_000, 1_000);
    const runtime = await createRuntime({
      agents: [createLane("guarded", guarded), createLane("unguarded", unguarded)],
      data: await mkdtemp(join(bench.scratch, "guard-")),
    });
    const measure = async (agent: string): Promise<number> => {
      const job = await runtime.submit(agent, { operations }, { lease: LEASE, budget: BUDGET });
      const { milliseconds } = (await job.result()) as { milliseconds: number };
      return (operations / milliseconds) * 1_000;
    };
    try {
      for (const agent of ["guarded", "unguarded"]) await measure(agent);
      const perSecond: number[] = [];
      const unguardedPerSecond: number[] = [];
      const nanoseconds: number[] = [];
      for (let round = 0; round < bench.rounds; round++) {
        perSecond.push(await measure("guarded"));
        unguardedPerSecond.push(await measure("unguarded"));
        nanoseconds.push(timeOfCheck(checks));
      }
      return {
        rows: [
          {
            what: `guarded operations, ${IN_FLIGHT} in flight`,
            unit: "/s",
            leasehold: perSecond,
            bare: unguardedPerSecond,
          },
          { what: "one question to the guard", unit: "ns", leasehold: nanoseconds },
        ],
        notes: ["Beside guarded operations stand the same events and waits for the disk, without a guard: no ws echo."],
      };
    } finally {
      await runtime.close();
    }
  },
};

/** An agent that keeps `IN_FLIGHT` operations under way, and returns how long all of them took. */
function createLane(name: string, operate: (ctx: AgentContext, nth: number) => Promise<unknown>) {
  return defineAgent({
    name,
    version: "1.0.0",
    async run(ctx, input) {
      const { operations } = input as { operations: number };
      let nth = 0;
      const startedAt = performance.now();
      const lanes = Array.from({ length: IN_FLIGHT }, async () => {
        while (nth < operations) await operate(ctx, nth++);
      });
      await Promise.all(lanes);
      return { milliseconds: performance.now() - startedAt };
    },
  });
}

function guarded(ctx: AgentContext, nth: number): Promise<unknown> {
  return ctx.tool("work-1", ARGS, () => nth);
}

/** The same length on the log, and the same waits: what is left out is the lease. */
async function unguarded(ctx: AgentContext, nth: number): Promise<unknown> {
  const callId = `call_00000000000000000000000${String(nth % 1_000).padStart(3, "0")}`;
  await ctx.emit("x-bench.call", { tool: "work-1", args: ARGS, call_id: callId });
  await ctx.flush();
  const result = nth;
  await ctx.emit("x-bench.result", { call_id: callId, result });
  return result;
}

/** Nanoseconds of one check: expiry, two counters, three patterns. */
function timeOfCheck(checks: number): number {
  const now = Date.now();
  const amounts = Object.entries(BUDGET).map(([currency, amount]) => `${currency}:${amount}`);
  const expires = { expires_at: new Date(now + 86_400_000).toISOString() };
  const lease = parseLease({ ...LEASE, "cost.budget": amounts }, expires, now);
  const purse = new Purse({ job: "job_bench", granted: lease.budget });
  const guard = createGuard({ lease, expiresAt: lease.expiresAt, clock: { now: () => now }, purse });
  const targets = ["work-1", "work-22", "files/a/b"];
  const check = (nth: number): void =>
    void guard.check({ namespace: "tool.call", target: targets[nth % targets.length] as string });
  for (let nth = 0; nth < checks; nth++) check(nth);
  const startedAt = performance.now();
  for (let nth = 0; nth < checks; nth++) check(nth);
  return ((performance.now() - startedAt) / checks) * 1_000_000;
}
