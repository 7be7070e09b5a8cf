import { generateText, isStepCount, streamText, tool } from "ai";
import { MockLanguageModelV3, MockLanguageModelV4 } from "ai/test";
import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import type { Amounts } from "../kernel/authority/amounts.ts";
import type { Operation } from "../kernel/authority/guard.ts";
import type { Metric } from "../kernel/job/metric.ts";
import { CodedError } from "../protocol/errors.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { createEmit } from "./emission.ts";
import { createModel, modelIds } from "./model.ts";
import { createOperate } from "./operation.ts";
import { createPriceTable } from "./prices.ts";
import { createTestHost } from "./test-host.ts";
import { createTools } from "./tool-set.ts";

// What it has to say of v2 is for people.
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false });

type GenerateResult = Awaited<ReturnType<MockLanguageModelV4["doGenerate"]>>;
type StreamPart =
  Awaited<ReturnType<MockLanguageModelV4["doStream"]>>["stream"] extends ReadableStream<infer Part> ? Part : never;

const USAGE = {
  inputTokens: { total: 100, noCache: 100, cacheRead: 0, cacheWrite: undefined },
  outputTokens: { total: 20, text: 20, reasoning: 0 },
};
const UNTOLD = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
};
const STOP = { unified: "stop", raw: "stop" } as const;
const answer = (text: string, more: Partial<GenerateResult> = {}): GenerateResult => ({
  content: [{ type: "text", text }],
  finishReason: STOP,
  usage: USAGE,
  warnings: [],
  ...more,
});
const PROMPT = [{ role: "user" as const, content: [{ type: "text" as const, text: "hello" }] }];
/** What `PROMPT` counts for where nothing tells its tokens. */
const PROMPT_BYTES = "user".length + "text".length + "hello".length;

interface StageOptions {
  /** Currency → what is left; counted as the real one is. */
  readonly budget?: Record<string, number>;
  readonly prices?: boolean;
  readonly allowed?: readonly string[];
  readonly vendorError?: CodedError;
}

/** Models under a lease, in memory. */
function createStage({ budget = {}, prices = true, allowed, vendorError }: StageOptions = {}) {
  const guard = {
    check({ namespace, target }: Operation): undefined {
      const exhausted = Object.entries(budget).find(([, remaining]) => remaining <= 0);
      if (exhausted !== undefined) throw new CodedError("BUDGET_EXHAUSTED", `no ${exhausted[0]} left`);
      if (allowed !== undefined && !allowed.includes(target)) {
        throw new CodedError("PERMISSION_DENIED", `${namespace} on ${target}`, { details: { capability: namespace } });
      }
    },
  };
  const host = createTestHost({ guard });
  const emit = createEmit(host, (run, ...args) => run(...args));
  const { ids } = createFakeWorld();
  const signal = () => host.signal;
  const operate = createOperate({ host, emit, ids, flush: () => host.flush(), signal, span: undefined });
  const charges: { amounts: Amounts; dimensions: Metric["dimensions"] }[] = [];
  const model = createModel({
    host,
    operate,
    prices: prices ? createPriceTable({ "mock/*": { currency: "USD", input: "1000", output: "2000" } }) : undefined,
    async charge(amounts, { name, dimensions } = {}) {
      host.signal.throwIfAborted();
      charges.push({ amounts, dimensions });
      for (const [currency, amount] of Object.entries(amounts)) {
        if (budget[currency] !== undefined) budget[currency] -= Number(amount);
      }
      await host.append("log", "log", JSON.stringify({ name, amounts }));
    },
    budgeted: () => Object.keys(budget),
    translate: () => vendorError,
  });
  return { host, model, charges, tools: createTools(operate), budget };
}

const mock = (options: ConstructorParameters<typeof MockLanguageModelV4>[0]) =>
  new MockLanguageModelV4({ provider: "mock.chat", modelId: "m-1", ...options });
const stream = (parts: readonly (StreamPart | Error)[], ended?: (reason: unknown) => void) => ({
  stream: new ReadableStream<StreamPart>({
    pull(controller) {
      const [next, ...rest] = parts;
      parts = rest;
      if (next instanceof Error) controller.error(next);
      else if (next === undefined) controller.close();
      else controller.enqueue(next);
    },
    cancel: ended ?? (() => undefined),
  }),
});
const text = (delta: string): StreamPart => ({ type: "text-delta", id: "1", delta });
const finish = (usage: GenerateResult["usage"] = USAGE): StreamPart => ({ type: "finish", finishReason: STOP, usage });

async function readAll<Value>(readable: ReadableStream<Value>): Promise<Value[]> {
  const values: Value[] = [];
  for await (const value of readable) values.push(value);
  return values;
}
const failure = (promise: PromiseLike<unknown>) =>
  Promise.resolve(promise).then(
    () => "no failure",
    (error: unknown) => error,
  );

describe("a model's names [reading-model-names]", () => {
  it("are its id, and where that has no vendor its provider's before it", () => {
    expect(modelIds({ provider: "openai.chat", modelId: "gpt-5" })).toEqual(["gpt-5", "openai/gpt-5"]);
    expect(modelIds({ provider: "gateway", modelId: "openai/gpt-5" })).toEqual(["openai/gpt-5"]);
    expect(modelIds({ provider: "", modelId: "m" })).toEqual(["m"]);
  });

  it.each([["m-1"], ["mock/m-1"]])("are enough, one of them: %s", async (name) => {
    const { model, host } = createStage({ allowed: [name] });
    const guarded = model(mock({ doGenerate: answer("yes") }));
    await guarded.doGenerate({ prompt: PROMPT });
    expect(host.bodies("tool_result")[0]).toMatchObject({ result: { finish_reason: "stop" } });
  });

  it("[attack-model-not-named] that no pattern matches are refused, before anything is called [arcp-9.7-model-refused] [arcp-9.7-permission-denied]", async () => {
    const { model, host, charges } = createStage({ allowed: ["m-2"] });
    const inner = mock({ doGenerate: answer("no") });
    const error = await failure(model(inner).doGenerate({ prompt: PROMPT }));
    expect(error).toMatchObject({ code: "PERMISSION_DENIED", details: { models: ["m-1", "mock/m-1"] } });
    expect(inner.doGenerateCalls).toEqual([]);
    expect(charges).toEqual([]);
    expect(host.bodies("tool_call")[0]).toMatchObject({ tool: "model", args: { model: "m-1", provider: "mock.chat" } });
    expect(host.bodies("tool_result")[0]).toMatchObject({ error: { code: "PERMISSION_DENIED" } });
  });
});

describe("a call", () => {
  it("is of the model that was checked, whatever becomes of its options meanwhile", async () => {
    const { model } = createStage({ allowed: ["m-1"] });
    const inner = mock({ doGenerate: answer("yes"), doStream: stream([finish()]) });
    const providerOptions: Record<string, Record<string, string>> = { mock: { effort: "low" } };
    const pending = [
      model(inner).doGenerate({ prompt: PROMPT, providerOptions }),
      model(inner).doStream({ prompt: PROMPT, providerOptions }),
    ];
    Object.assign(providerOptions.mock ?? {}, { model: "m-2" });
    providerOptions.other = { models: "m-2" };
    await Promise.all(pending);
    for (const call of [...inner.doGenerateCalls, ...inner.doStreamCalls]) {
      expect(call.providerOptions).toEqual({ mock: { effort: "low" } });
    }
  });

  it("is not lost to what its service calls itself", async () => {
    const { model, host } = createStage();
    const finishReason = { unified: "x".repeat(2_000_000), raw: "x" } as never;
    const inner = mock({ doGenerate: answer("yes", { response: { modelId: "y".repeat(2_000_000) }, finishReason }) });
    expect((await model(inner).doGenerate({ prompt: PROMPT })).content).toMatchObject([{ text: "yes" }]);
    expect(host.entries.at(-1)?.text.length).toBeLessThan(1_000);
  });

  it("is charged exactly, before its result is on the log [reading-model-charged] [arcp-14-cost-instrumented]", async () => {
    const { model, host, charges } = createStage({ budget: { USD: 1 } });
    const inner = mock({ doGenerate: answer("yes", { response: { modelId: "m-1-2026" } }) });
    await model(inner).doGenerate({ prompt: PROMPT, maxOutputTokens: 64 });
    const callId = host.bodies("tool_call")[0]?.call_id;
    expect(charges).toEqual([{ amounts: { USD: "0.14" }, dimensions: { model: "m-1", call_id: callId } }]);
    expect(host.entries.map(({ name }) => name)).toEqual(["tool_call", "log", "tool_result"]);
    expect(host.bodies("tool_call")[0]).toMatchObject({
      args: { messages: 1, max_output_tokens: 64, streamed: false },
    });
    expect(host.bodies("tool_result")[0]?.result).toEqual({
      answered_by: "m-1-2026",
      usage: { input_tokens: 100, output_tokens: 20 },
      cost: { USD: "0.14" },
      finish_reason: "stop",
    });
    // What was said is nobody's but the agent's.
    expect(JSON.stringify(host.entries)).not.toContain("hello");
  });

  it("takes the trace and the stop along, and leaves the caller's headers [arcp-11-forwarded]", async () => {
    const { model, host } = createStage();
    const inner = mock({ doGenerate: answer("yes") });
    await model(inner).doGenerate({ prompt: PROMPT, headers: { "x-a": "1" } });
    const [call] = inner.doGenerateCalls;
    expect(call?.headers).toEqual({ "x-a": "1", traceparent: expect.stringContaining(host.job.traceId) });
    host.stop();
    expect(call?.abortSignal?.aborted).toBe(true);
  });

  it("of a model without a price is refused under any budget, and goes on without one [reading-model-charged]", async () => {
    const inner = mock({ doGenerate: answer("yes") });
    const under = createStage({ budget: { EUR: 1 }, prices: false });
    expect(await failure(under.model(inner).doGenerate({ prompt: PROMPT }))).toMatchObject({
      code: "INVALID_REQUEST",
      message: expect.stringMatching(/"m-1" or "mock\/m-1" has no price.*EUR.*prices/),
      details: { field: "prices", models: ["m-1", "mock/m-1"] },
    });
    expect(inner.doGenerateCalls).toEqual([]);
    expect(under.host.bodies("tool_result")[0]).toMatchObject({ error: { code: "INVALID_REQUEST" } });
    const without = createStage({ prices: false });
    await without.model(inner).doGenerate({ prompt: PROMPT });
    expect(without.host.bodies("tool_result")[0]?.result).toMatchObject({ usage: { output_tokens: 20 } });
    expect(without.charges).toEqual([]);
  });

  it("whose usage is not told is charged for what went over under a budget, and said to be unknown elsewhere [reading-model-charged]", async () => {
    const inner = mock({ doGenerate: answer("yes", { usage: UNTOLD }) });
    const under = createStage({ budget: { USD: 1 } });
    await under.model(inner).doGenerate({ prompt: PROMPT });
    const output = "text".length + "yes".length;
    const cost = String((PROMPT_BYTES * 1000 + output * 2000) / 1e6);
    expect(under.charges).toMatchObject([{ amounts: { USD: cost }, dimensions: { assumed: true } }]);
    expect(under.host.bodies("tool_result")[0]?.result).toMatchObject({
      usage: { input_tokens: PROMPT_BYTES, output_tokens: output, assumed: ["input", "output"] },
    });
    const elsewhere = createStage({ budget: { EUR: 1 } });
    await elsewhere.model(inner).doGenerate({ prompt: PROMPT });
    expect(elsewhere.charges).toEqual([]);
    expect(elsewhere.host.bodies("tool_result")[0]?.result).toMatchObject({ usage: "unknown" });
  });

  it("that fails costs nothing, unless the caller gave up waiting for it", async () => {
    const { model, charges, host } = createStage({ budget: { USD: 1 } });
    const broken = mock({ doGenerate: () => Promise.reject(new Error("503")) });
    expect(await failure(model(broken).doGenerate({ prompt: PROMPT }))).toMatchObject({ message: "503" });
    expect(charges).toEqual([]);
    expect(host.bodies("tool_result")[0]).toMatchObject({
      error: { code: "INTERNAL_ERROR", message: "the call of the model failed: Error" },
    });
    const slow = mock({
      doGenerate: ({ abortSignal }) =>
        new Promise((_, reject) => abortSignal?.addEventListener("abort", () => reject(abortSignal.reason))),
    });
    const caller = new AbortController();
    const pending = failure(model(slow).doGenerate({ prompt: PROMPT, abortSignal: caller.signal }));
    await expect.poll(() => slow.doGenerateCalls.length).toBe(1);
    caller.abort(new Error("enough"));
    expect(await pending).toMatchObject({ message: "enough" });
    expect(charges).toMatchObject([{ amounts: { USD: String((PROMPT_BYTES * 1000) / 1e6) } }]);
    await failure(model(slow).doGenerate({ prompt: PROMPT, abortSignal: AbortSignal.abort() }));
    expect([slow.doGenerateCalls.length, charges.length]).toEqual([1, 1]);
  });

  it("that fails although it was answered is charged for what went over", async () => {
    const { model, charges } = createStage({ budget: { USD: 1 } });
    const responseBody = "what cannot be read";
    const unread = Object.assign(new Error("Invalid JSON response"), { statusCode: 200, responseBody });
    const refused = Object.assign(new Error("no"), { statusCode: 400, responseBody });
    for (const error of [unread, refused]) {
      const inner = mock({ doGenerate: () => Promise.reject(error), doStream: () => Promise.reject(error) });
      expect(await failure(model(inner).doGenerate({ prompt: PROMPT }))).toBe(error);
      expect(await failure(model(inner).doStream({ prompt: PROMPT }))).toBe(error);
    }
    const charge = { amounts: { USD: String((PROMPT_BYTES * 1000 + responseBody.length * 2000) / 1e6) } };
    expect(charges).toMatchObject([charge, charge]);
  });

  it("that fails has nothing of what was said on the log, which services like to quote", async () => {
    const { model, host } = createStage();
    const quoting = Object.assign(new Error("cannot read 'hello' [sk-secret]"), {
      name: "AI_APICallError",
      statusCode: 400,
    });
    const whole = mock({ doGenerate: () => Promise.reject(quoting), doStream: () => Promise.reject(quoting) });
    await failure(model(whole).doGenerate({ prompt: PROMPT }));
    await failure(model(whole).doStream({ prompt: PROMPT }));
    for (const error of [quoting, { message: "sk-secret" }]) {
      const inPart = mock({ doStream: stream([{ type: "error", error }, finish(UNTOLD)]) });
      const { stream: readable } = await model(inPart).doStream({ prompt: PROMPT });
      expect((await readAll(readable))[0]).toEqual({ type: "error", error });
    }
    await expect.poll(() => host.bodies("tool_result").length).toBe(4);
    expect(host.bodies("tool_result").map(({ error }) => (error as { readonly message: string }).message)).toEqual([
      "the call of the model failed: AI_APICallError, status 400",
      "the call of the model failed: AI_APICallError, status 400",
      "the call of the model failed: AI_APICallError, status 400",
      "the call of the model failed: Error",
    ]);
    expect(JSON.stringify(host.entries)).not.toMatch(/hello|secret/);
  });

  it("hands nothing out once the job is stopped", async () => {
    const { model, host } = createStage({ budget: { USD: 1 } });
    const late = Promise.withResolvers<GenerateResult>();
    const pending = failure(model(mock({ doGenerate: () => late.promise })).doGenerate({ prompt: PROMPT }));
    await expect.poll(() => host.bodies("tool_call").length).toBe(1);
    host.stop();
    late.resolve(answer("too late"));
    expect(await pending).toMatchObject({ code: "CANCELLED" });
  });

  it("tells a vendor's own quota as an exhausted budget [arcp-9.6-upstream-translated]", async () => {
    const vendorError = new CodedError("BUDGET_EXHAUSTED", "the vendor's quota");
    const { model, host } = createStage({ vendorError });
    const inner = mock({
      doGenerate: () => Promise.reject(new Error("insufficient_quota")),
      doStream: stream([{ type: "error", error: "quota" }, finish(UNTOLD)]),
    });
    expect(await failure(model(inner).doGenerate({ prompt: PROMPT }))).toBe(vendorError);
    expect(host.bodies("tool_result")[0]).toMatchObject({ error: { code: "BUDGET_EXHAUSTED" } });
    const parts = await readAll((await model(inner).doStream({ prompt: PROMPT })).stream);
    expect(parts[0]).toEqual({ type: "error", error: vendorError });
    await expect.poll(() => host.bodies("tool_result")[1]).toMatchObject({ error: { code: "BUDGET_EXHAUSTED" } });
  });

  it.each([{ openai: { model: "dear" } }, { gateway: { models: ["dear"] } }])(
    "of another model, named among a provider's options, is refused: %j",
    async (providerOptions) => {
      const { model } = createStage();
      const inner = mock({ doGenerate: answer("yes"), doStream: stream([finish()]) });
      const [provider, options] = Object.entries(providerOptions)[0] ?? [];
      const field = `providerOptions.${provider}.${Object.keys(options ?? {})[0]}`;
      for (const method of ["doGenerate", "doStream"] as const) {
        const error = await failure(model(inner)[method]({ prompt: PROMPT, providerOptions }));
        expect(error).toMatchObject({ code: "INVALID_REQUEST", details: { field } });
      }
      expect(inner.doGenerateCalls).toEqual([]);
    },
  );
});

describe("a streamed call", () => {
  it("is charged by its last part, before that is handed on", async () => {
    const { model, host, charges } = createStage({ budget: { USD: 1 } });
    const said = { type: "response-metadata" as const, modelId: "m-1-2026" };
    const { stream: parts } = await model(mock({ doStream: stream([said, text("a"), text("b"), finish()]) })).doStream({
      prompt: PROMPT,
    });
    const reader = parts.getReader();
    expect((await reader.read()).value).toEqual(said);
    expect((await reader.read()).value).toEqual(text("a"));
    await reader.read();
    expect(charges).toEqual([]);
    expect(host.bodies("tool_result")).toEqual([]);
    expect((await reader.read()).value).toEqual(finish());
    expect(charges).toMatchObject([{ amounts: { USD: "0.14" } }]);
    expect((await reader.read()).done).toBe(true);
    expect(host.bodies("tool_result")[0]?.result).toEqual({
      answered_by: "m-1-2026",
      usage: { input_tokens: 100, output_tokens: 20 },
      cost: { USD: "0.14" },
      finish_reason: "stop",
    });
    expect(host.entries.map(({ name }) => name)).toEqual(["tool_call", "log", "tool_result"]);
  });

  const received = (...deltas: string[]) => String((PROMPT_BYTES * 1000 + deltas.join("").length * 2000) / 1e6);

  it("that breaks off is charged for what went over", async () => {
    for (const parts of [[text("abc")], [text("abc"), new Error("broken")]]) {
      const { model, host, charges } = createStage({ budget: { USD: 1 } });
      const { stream: readable } = await model(mock({ doStream: stream(parts) })).doStream({ prompt: PROMPT });
      await failure(readAll(readable));
      expect(charges).toMatchObject([{ amounts: { USD: received("abc") }, dimensions: { assumed: true } }]);
      const concluded =
        parts.length > 1
          ? { error: { message: "the call of the model failed: Error" } }
          : { result: { finish_reason: "interrupted" } };
      await expect.poll(() => host.bodies("tool_result")[0]).toMatchObject(concluded);
    }
  });

  it("that its reader leaves is charged for what went over, and cancelled", async () => {
    const { model, host, charges } = createStage({ budget: { USD: 1 } });
    const reasons: unknown[] = [];
    const inner = mock({ doStream: stream([text("abc"), text("never"), finish()], (reason) => reasons.push(reason)) });
    const { stream: readable } = await model(inner).doStream({ prompt: PROMPT });
    const reader = readable.getReader();
    await reader.read();
    await reader.cancel("enough");
    expect(reasons).toEqual(["enough"]);
    expect(charges).toMatchObject([{ amounts: { USD: received("abc") } }]);
    await expect.poll(() => host.bodies("tool_result")[0]).toMatchObject({ result: { finish_reason: "cancelled" } });
  });

  it("hands nothing more out once the job is stopped, whatever the model does", async () => {
    const { model, host } = createStage({ budget: { USD: 1 } });
    const deaf = { stream: new ReadableStream<StreamPart>({ pull: (controller) => controller.enqueue(text("on")) }) };
    const { stream: readable } = await model(mock({ doStream: deaf })).doStream({ prompt: PROMPT });
    const reader = readable.getReader();
    await reader.read();
    host.stop();
    expect(await failure(reader.read())).toMatchObject({ code: "CANCELLED" });
    const silent = createStage();
    const never = { stream: new ReadableStream<StreamPart>({ pull: () => new Promise(() => undefined) }) };
    const waiting = (await silent.model(mock({ doStream: never })).doStream({ prompt: PROMPT })).stream.getReader();
    const pending = failure(waiting.read());
    silent.host.stop();
    expect(await pending).toMatchObject({ code: "CANCELLED" });
  });

  it("is refused before it begins", async () => {
    const { model } = createStage({ allowed: [] });
    const inner = mock({ doStream: stream([finish()]) });
    expect(await failure(model(inner).doStream({ prompt: PROMPT }))).toMatchObject({ code: "PERMISSION_DENIED" });
    expect(inner.doStreamCalls).toEqual([]);
  });
});

describe("what comes out", () => {
  it("is what the AI SDK takes for a model, and nothing to get round the lease by", () => {
    const { model } = createStage();
    const inner = Object.assign(mock({}), { config: { apiKey: "k" }, batch: () => undefined });
    const guarded = model(inner);
    expect(Object.keys(guarded).sort()).toEqual(
      ["doGenerate", "doStream", "modelId", "provider", "specificationVersion", "supportedUrls"].sort(),
    );
    expect(guarded).toMatchObject({ specificationVersion: "v4", provider: "mock.chat", modelId: "m-1" });
    expectTypeOf<Parameters<typeof generateText>[0]["model"]>().extract<object>().toExtend<object>();
    generateText satisfies (options: { model: typeof guarded; prompt: string }) => unknown;
  });

  it("is not guarded, and charged, twice", async () => {
    const { model, charges } = createStage();
    const guarded = model(mock({ doGenerate: answer("yes") }));
    expect(model(guarded)).toBe(guarded);
    await model(guarded).doGenerate({ prompt: PROMPT });
    expect(charges).toHaveLength(1);
  });

  it.each([
    ["openai/gpt-5", /not its name: make "openai\/gpt-5"/],
    [undefined, /must be a language model/],
    [{ modelId: "m", provider: "p" }, /must be a language model/],
    [{ ...mock({}), specificationVersion: "v1", doGenerate: () => 0, doStream: () => 0 }, /v1/],
  ])("is an error for %j", (given, message) => {
    const { model } = createStage();
    expect(() => model(given as never)).toThrow(message);
  });
});

describe("with the AI SDK", () => {
  const call = { type: "tool-call" as const, toolCallId: "t1", toolName: "look", input: '{"at":"sky"}' };
  const asks = answer("", { content: [call], finishReason: { unified: "tool-calls", raw: "tool_calls" } });
  const look = tool({ inputSchema: z.object({ at: z.string() }), execute: async ({ at }) => `the ${at} is blue` });

  it("generates text over several steps, each of them an operation", async () => {
    const { model, tools, host, budget } = createStage({ budget: { USD: 1 } });
    const { text } = await generateText({
      model: model(mock({ doGenerate: [asks, answer("blue")] })),
      tools: tools({ look }),
      stopWhen: isStepCount(5),
      prompt: "what colour?",
    });
    expect(text).toBe("blue");
    expect(host.bodies("tool_call").map(({ tool }) => tool)).toEqual(["model", "look", "model"]);
    expect(host.bodies("tool_result")[1]).toMatchObject({ result: "the sky is blue" });
    expect(budget.USD).toBeCloseTo(0.72);
  });

  it("ends with BUDGET_EXHAUSTED at the step that finds the counter at zero", async () => {
    const { model, tools, host, charges } = createStage({ budget: { USD: 0.14 } });
    const inner = mock({ doGenerate: [asks, answer("never")] });
    const run = generateText({ model: model(inner), tools: tools({ look }), stopWhen: isStepCount(5), prompt: "?" });
    expect(await failure(run)).toMatchObject({ code: "BUDGET_EXHAUSTED" });
    expect(inner.doGenerateCalls).toHaveLength(1);
    expect(charges).toHaveLength(1);
    const codes = host.bodies("tool_result").map(({ error }) => (error as { code?: string } | undefined)?.code);
    expect(codes).toEqual([undefined, "BUDGET_EXHAUSTED", "BUDGET_EXHAUSTED"]);
  });

  it("streams text, and tells a refusal as the stream's error", async () => {
    const { model, charges, budget } = createStage({ budget: { USD: 0.14 } });
    const parts = [
      { type: "text-start", id: "1" } as const,
      text("blue"),
      { type: "text-end", id: "1" } as const,
      finish(),
    ];
    const guarded = model(mock({ doStream: async () => stream(parts) }));
    expect(await streamText({ model: guarded, prompt: "?" }).text).toBe("blue");
    expect(charges).toHaveLength(1);
    expect(budget.USD).toBe(0);
    const errors: unknown[] = [];
    const refused = streamText({ model: guarded, prompt: "?", onError: ({ error }) => void errors.push(error) });
    await refused.consumeStream();
    expect(errors).toMatchObject([{ code: "BUDGET_EXHAUSTED" }]);
  });

  it.each(["v3", "v2"] as const)("works with models of specification %s", async (version) => {
    const { model, charges } = createStage({ budget: { USD: 1 } });
    const v3 = new MockLanguageModelV3({
      provider: "mock.chat",
      modelId: "m-1",
      doGenerate: { content: [{ type: "text", text: "old" }], finishReason: STOP, usage: USAGE, warnings: [] },
    });
    const v2 = {
      specificationVersion: "v2" as const,
      provider: "mock.chat",
      modelId: "m-1",
      supportedUrls: {},
      doGenerate: async () => ({
        content: [{ type: "text" as const, text: "old" }],
        finishReason: "stop" as const,
        usage: { inputTokens: 100, outputTokens: 20, totalTokens: 120 },
        warnings: [],
      }),
      doStream: () => Promise.reject(new Error("not here")),
    };
    const guarded = version === "v3" ? model(v3) : model(v2);
    expect((await generateText({ model: guarded, prompt: "?" })).text).toBe("old");
    expect(charges).toMatchObject([{ amounts: { USD: "0.14" } }]);
  });
});
