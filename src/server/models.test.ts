/** `ctx.model`, `ctx.tools` and their prices in a whole runtime: what the lease allows, what the log tells, what is left. */
import { generateText, isStepCount, streamText, tool } from "ai";
import { MockLanguageModelV4, simulateReadableStream } from "ai/test";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { AgentContext } from "../agents/agent-context.ts";
import { defineAgent } from "../agents/define-agent.ts";
import { createPriceTable } from "../agents/prices.ts";
import { createRunnableAgent } from "../agents/runnable-agent.ts";
import type { SubmitOptions } from "../client/submission.ts";
import { createTestKernel } from "../kernel/test-kernel.ts";
import { createMemoryStore } from "../stores/memory/memory-store.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { createRuntime } from "./runtime.ts";
import type { RuntimeOptions } from "./runtime-options.ts";

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

const USAGE = {
  inputTokens: { total: 100, noCache: 100, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 20, text: 20, reasoning: 0 },
};
const STOP = { unified: "stop" as const, raw: "stop" };
const ANSWER = { content: [{ type: "text" as const, text: "blue" }], finishReason: STOP, usage: USAGE, warnings: [] };
const ASKS = {
  ...ANSWER,
  content: [{ type: "tool-call" as const, toolCallId: "t1", toolName: "look", input: "{}" }],
  finishReason: { unified: "tool-calls" as const, raw: "tool_calls" },
};
const LOOK = { look: tool({ inputSchema: z.object({}), execute: () => "sky" }) };
/** A call of these models costs 0.14 USD. */
const PRICES = { "mock/*": { currency: "USD", input: "1000", output: "2000" } };
const model = (options: ConstructorParameters<typeof MockLanguageModelV4>[0] = { doGenerate: ANSWER }) =>
  new MockLanguageModelV4({ provider: "mock.chat", modelId: "m-1", ...options });

/** Runs an agent under a lease, and tells what its log holds. */
async function run(
  work: (ctx: AgentContext) => Promise<unknown>,
  how: SubmitOptions,
  options: Partial<RuntimeOptions> = {},
) {
  const agent = defineAgent({ name: "thinker", version: "1.0.0", run: work });
  const runtime = await createRuntime({ agents: [agent], store: createMemoryStore(), prices: PRICES, ...options });
  cleanUps.push(() => runtime.close());
  const job = await runtime.submit("thinker", null, how);
  const events: { readonly kind: string; readonly body: Record<string, unknown> }[] = [];
  for await (const { kind, body } of job.events()) events.push({ kind, body: body as Record<string, unknown> });
  const outcome = await job.result().catch((error: { readonly code: string }) => error.code);
  const bodies = (kind: string) => events.filter((event) => event.kind === kind).map(({ body }) => body);
  return {
    outcome,
    bodies,
    kinds: events.map(({ kind }) => kind),
    metrics: bodies("metric").map(({ name, value, unit }) => [name, value, unit]),
    codes: bodies("tool_result").map(({ error }) => (error as { code?: string } | undefined)?.code),
  };
}

const once = async (ctx: AgentContext) => (await ctx.model(model()).doGenerate({ prompt: [] })).finishReason.unified;
const lease = { "model.use": ["m-*"], "tool.call": ["look"] };

describe("a model under a lease", () => {
  it("is called and charged, and what is left is told after it", async () => {
    const { outcome, kinds, metrics } = await run(once, { lease, budget: { USD: "1" } });
    expect(outcome).toBe("stop");
    expect(kinds).toEqual(["tool_call", "metric", "tool_result", "metric"]);
    expect(metrics).toEqual([
      ["cost.inference", 0.14, "USD"],
      ["cost.budget.remaining", 0.86, "USD"],
    ]);
  });

  it.each([
    ["names another", { "model.use": ["gpt-*"] }],
    ["names none [arcp-9.7-absence-forbids]", { "tool.call": ["*"] }],
    ["is empty", {}],
  ])("is not called where the lease %s", async (_, without) => {
    const inner = model();
    const { outcome, codes } = await run(async (ctx) => ctx.model(inner).doGenerate({ prompt: [] }), {
      lease: without,
    });
    expect(outcome).toBe("PERMISSION_DENIED");
    expect(codes).toEqual(["PERMISSION_DENIED"]);
    expect(inner.doGenerateCalls).toEqual([]);
  });

  it("may be any where the lease names none and the runtime does not require it", async () => {
    const options = { requireModelUse: false };
    expect((await run(once, { lease: { "tool.call": ["*"] } }, options)).outcome).toBe("stop");
    expect((await run(once, { lease: { "model.use": ["gpt-*"] } }, options)).outcome).toBe("PERMISSION_DENIED");
  });

  it("that has no price is not called under a budget", async () => {
    const { outcome, metrics } = await run(once, { lease, budget: { EUR: "1" } }, { prices: {} });
    expect({ outcome, metrics }).toEqual({ outcome: "INVALID_REQUEST", metrics: [] });
  });

  it("is not called again once the budget is used up, by whatever step", async () => {
    const inner = model({ doGenerate: [ASKS, ASKS, ASKS, ANSWER] });
    const { outcome, metrics, codes } = await run(
      async (ctx) => {
        const tools = ctx.tools(LOOK);
        const { text } = await generateText({ model: ctx.model(inner), tools, stopWhen: isStepCount(9), prompt: "?" });
        return text;
      },
      { lease, budget: { USD: "0.25" } },
    );
    expect(outcome).toBe("BUDGET_EXHAUSTED");
    expect(inner.doGenerateCalls).toHaveLength(2);
    expect(metrics.filter(([name]) => name === "cost.inference")).toHaveLength(2);
    expect(metrics.filter(([name]) => name === "cost.budget.remaining").at(-1)).toEqual([
      "cost.budget.remaining",
      -0.03,
      "USD",
    ]);
    // The first call, the tool, the second call; then the tool, and the third call.
    expect(codes).toEqual([undefined, undefined, undefined, "BUDGET_EXHAUSTED", "BUDGET_EXHAUSTED"]);
  });
});

describe("a child's model", () => {
  it("is bounded and paid by what it inherits", async () => {
    const child = defineAgent({ name: "child", version: "1.0.0", run: once });
    const parent = defineAgent({
      name: "thinker",
      version: "1.0.0",
      async run(ctx) {
        const { result } = await ctx.delegate("child", null, { lease: {} });
        return [await result(), ctx.budget.remaining("USD")];
      },
    });
    const agents = [parent, child];
    const how = { lease: { ...lease, "agent.delegate": ["*"] }, budget: { USD: "1" } };
    expect((await run(once, how, { agents })).outcome).toEqual(["stop", "0.86"]);
  });
});

describe("a streamed call", () => {
  const text = (delta: string) => ({ type: "text-delta" as const, id: "1", delta });
  const finish = { type: "finish" as const, finishReason: STOP, usage: USAGE };

  it("ends with the lease, and is charged for what went over", async () => {
    const endless = model({
      doStream: async () => ({ stream: new ReadableStream({ pull: (controller) => controller.enqueue(text("on")) }) }),
    });
    let read = 0;
    const definition = defineAgent({
      name: "thinker",
      version: "1.0.0",
      async run(ctx) {
        const { stream } = await ctx.model(endless).doStream({ prompt: [] });
        const reader = stream.getReader();
        for (read = 0; read < 3; read++) await reader.read();
        await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
        await reader.read();
      },
    });
    const agent = createRunnableAgent(definition, createFakeWorld(), { prices: createPriceTable(PRICES) });
    const { submit, world, log, stored } = await createTestKernel({ agents: [agent] });
    const { job } = await submit("thinker", null, {
      leaseRequest: { ...lease, "cost.budget": ["USD:1"] },
      leaseConstraints: { expires_at: new Date(world.clock.now() + 60_000).toISOString() },
    });
    await world.settle();
    expect(read).toBe(3);
    await world.advance(60_000);
    expect(await stored(job.id)).toMatchObject({ status: "error" });
    const entries = (await log(job.id)).map(({ payload }) => payload);
    const [cost] = entries.filter(({ kind }) => kind === "metric");
    const value = (3 * "on".length * 2000) / 1e6;
    expect(cost?.body).toMatchObject({ name: "cost.inference", value, dimensions: { assumed: true } });
    expect(entries.at(-1)).toMatchObject({ code: "LEASE_EXPIRED" });
  });

  it("hands everything on, in order", async () => {
    const parts = [
      { type: "text-start" as const, id: "1" },
      text("so "),
      text("blue"),
      { type: "text-end" as const, id: "1" },
      finish,
    ];
    const whole = model({ doStream: async () => ({ stream: simulateReadableStream({ chunks: parts }) }) });
    const { outcome, metrics } = await run(async (ctx) => streamText({ model: ctx.model(whole), prompt: "?" }).text, {
      lease,
      budget: { USD: "1" },
    });
    expect(outcome).toBe("so blue");
    expect(metrics[0]).toEqual(["cost.inference", 0.14, "USD"]);
  });
});
