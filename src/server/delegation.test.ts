/** Delegation from end to end: agents as users write them, on a runtime, seen by a client. */
import { afterEach, describe, expect, expectTypeOf, it } from "vitest";
import type { AgentContext } from "../agents/agent-context.ts";
import { type AgentDefinition, defineAgent } from "../agents/define-agent.ts";
import type { Delegated } from "../agents/delegate.ts";
import type { SubmitOptions } from "../client/submission.ts";
import type { JobEvent } from "../protocol/event-bodies.ts";
import { createMemoryStore } from "../stores/memory/memory-store.ts";
import { createRuntime } from "./runtime.ts";

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

/** Spends what it is told to, and returns twice its input. */
const worker = defineAgent({
  name: "worker",
  version: "1.2.0",
  async run(ctx, input) {
    const { n, cost } = input as { n: number; cost?: string };
    if (cost !== undefined) await ctx.charge({ USD: cost });
    return ctx.tool("double", { n }, () => n * 2);
  },
});

async function run(agent: AgentDefinition, options: SubmitOptions): Promise<{ result: unknown; events: JobEvent[] }> {
  const runtime = await createRuntime({ agents: [agent, worker], store: createMemoryStore() });
  cleanUps.push(() => runtime.close());
  const job = await runtime.submit(agent.name, null, options);
  const events: JobEvent[] = [];
  for await (const event of job.events()) events.push(event);
  return { result: await job.result().catch((error: unknown) => error), events };
}

const planner = (work: (ctx: AgentContext) => Promise<unknown>): AgentDefinition =>
  defineAgent({ name: "planner", version: "1.0.0", run: (ctx) => work(ctx) });

const LEASE: SubmitOptions = {
  lease: { "agent.delegate": ["worker"], "tool.call": ["*"] },
  budget: { USD: "1.00" },
};
const TOOLS = { lease: { "tool.call": ["double"] } };

describe("ctx.delegate [arcp-10-delegate-event]", () => {
  it("is typed by the definition of the agent it is given", () => {
    const typed = defineAgent({ name: "typed", version: "1.0.0", run: async () => ({ ok: true }) });
    const delegate = (ctx: AgentContext) => ctx.delegate(typed, null);
    expectTypeOf<ReturnType<typeof delegate>>().resolves.toEqualTypeOf<Delegated<{ ok: boolean }>>();
  });

  it("runs a part of the work as a job of its own", async () => {
    const { result, events } = await run(
      planner(async (ctx) => {
        const parts = await Promise.all([1, 2, 3].map((n) => ctx.delegate("worker", { n }, TOOLS)));
        return Promise.all(parts.map((part) => part.result()));
      }),
      LEASE,
    );
    expect(result).toEqual([2, 4, 6]);
    const told = events.filter(({ kind }) => kind === "delegate");
    expect(told).toMatchObject([1, 2, 3].map((n) => ({ body: { agent: "worker@1.2.0", input: { n } } })));
  });

  it("[arcp-9.4-violation] [reading-delegation-refused] puts a refusal on the log, with what was asked for, and throws it", async () => {
    const { result, events } = await run(
      planner(async (ctx) => {
        const wider = ctx.delegate("worker", { n: 1 }, { lease: { "fs.read": ["/etc/**"] } });
        const code = await wider.catch(({ code }) => code);
        return [code, await ctx.delegate("other", null).catch((error) => error.code)];
      }),
      LEASE,
    );
    expect(result).toEqual(["LEASE_SUBSET_VIOLATION", "AGENT_NOT_AVAILABLE"]);
    expect(events).toMatchObject([
      {
        kind: "tool_call",
        body: { tool: "agent.delegate", args: { agent: "worker", lease_request: { "fs.read": ["/etc/**"] } } },
      },
      {
        kind: "tool_result",
        body: { error: { code: "LEASE_SUBSET_VIOLATION", details: { capability: "fs.read", pattern: "/etc/**" } } },
      },
      { kind: "tool_call", body: { tool: "agent.delegate", args: { agent: "other" } } },
      { kind: "tool_result", body: { error: { code: "AGENT_NOT_AVAILABLE" } } },
    ]);
  });

  it("holds a child's budget, and gives back what it did not spend", async () => {
    const { result } = await run(
      planner(async (ctx) => {
        const options = { ...TOOLS, budget: { USD: "0.70" } };
        const first = await ctx.delegate("worker", { n: 1, cost: "0.2" }, options);
        const during = await ctx
          .delegate("worker", { n: 2 }, options)
          .catch(({ code, details }) => [code, details.available]);
        await first.result();
        const after = await ctx.delegate("worker", { n: 3, cost: "0.1" }, options);
        await after.result();
        return [during, ctx.budget.remaining("USD"), ctx.budget.available("USD")];
      }),
      LEASE,
    );
    expect(result).toEqual([["LEASE_SUBSET_VIOLATION", "0.3"], "0.7", "0.7"]);
  });

  it("[arcp-10-expiry] takes a lease's expiry only where it is not later than the parent's", async () => {
    const { result } = await run(
      planner((ctx) =>
        ctx
          .delegate("worker", { n: 1 }, { ...TOOLS, expiresAt: "2999-01-01T00:00:00Z" })
          .catch(({ code, details }) => [code, details]),
      ),
      { ...LEASE, expiresAt: "2998-01-01T00:00:00Z" },
    );
    expect(result).toEqual([
      "LEASE_SUBSET_VIOLATION",
      { expires_at: "2999-01-01T00:00:00Z", parent_expires_at: "2998-01-01T00:00:00Z" },
    ]);
  });

  it("names what is wrong with what it is given", async () => {
    const { result } = await run(
      planner(async (ctx) => {
        const wrong: Promise<unknown>[] = [
          ctx.delegate("worker", { n: 1 }, { key: "" }),
          ctx.delegate("worker", { n: 1 }, { expiresAt: new Date(Number.NaN) }),
          ctx.delegate("worker", { n: 1 }, { maxRuntimeSec: 0 }),
          ctx.delegate("worker", { n: 1 }, { budget: { USD: "-1" } }),
          ctx.delegate("worker", { n: 1n }),
          ctx.delegate("not a name", null),
        ];
        return Promise.all(wrong.map((each) => each.catch(({ code }) => code)));
      }),
      LEASE,
    );
    expect(result).toEqual(Array(6).fill("INVALID_REQUEST"));
  });
});
