import { generateText, isStepCount, streamText, type TypedToolResult, tool } from "ai";
import { MockLanguageModelV4, simulateReadableStream } from "ai/test";
import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { CodedError } from "../protocol/errors.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { createEmit } from "./emission.ts";
import { MAX_LOGGED_RESULT_LENGTH } from "./logged-result.ts";
import { createOperate } from "./operation.ts";
import { createTestHost } from "./test-host.ts";
import { createTools } from "./tool-set.ts";

function createStage(allowed?: readonly string[]) {
  const guard = {
    check({ namespace, target }: { readonly namespace: string; readonly target: string }): undefined {
      if (allowed === undefined || (namespace === "tool.call" && allowed.includes(target))) return;
      throw new CodedError("PERMISSION_DENIED", `${namespace} on ${target}`);
    },
  };
  const host = createTestHost({ guard });
  const emit = createEmit(host, (run, ...args) => run(...args));
  const operate = createOperate({
    host,
    emit,
    ids: createFakeWorld().ids,
    flush: () => host.flush(),
    signal: () => host.signal,
    span: undefined,
  });
  return { host, tools: createTools(operate) };
}

const At = z.object({ at: z.string() });
const CALL = { toolCallId: "t1", messages: [], context: {} };
const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};
const asking = {
  content: [{ type: "tool-call" as const, toolCallId: "t1", toolName: "look", input: '{"at":"sky"}' }],
  finishReason: { unified: "tool-calls" as const, raw: undefined },
  usage,
  warnings: [],
};
const answering = {
  content: [{ type: "text" as const, text: "done" }],
  finishReason: { unified: "stop" as const, raw: undefined },
  usage,
  warnings: [],
};
const failure = (promise: PromiseLike<unknown> | unknown) =>
  Promise.resolve(promise).then(
    () => "no failure",
    (error: unknown) => error,
  );

describe("a tool under the lease", () => {
  it("is an operation by its name in the set", async () => {
    const { host, tools } = createStage(["look"]);
    const set = tools({ look: tool({ inputSchema: At, execute: ({ at }) => ({ seen: at }) }) });
    expect(await set.look.execute({ at: "sky" }, CALL)).toEqual({ seen: "sky" });
    expect(host.bodies("tool_call")).toMatchObject([{ tool: "look", args: { at: "sky" } }]);
    expect(host.bodies("tool_result")).toMatchObject([{ result: { seen: "sky" } }]);
    expect(host.trace).toEqual(["guard:look", "append:tool_call", "flush", "guard:look", "append:tool_result"]);
  });

  it("that the lease does not allow is not run, and the refusal is on the log", async () => {
    const { host, tools } = createStage([]);
    let ran = false;
    const set = tools({ look: tool({ inputSchema: At, execute: () => (ran = true) }) });
    expect(await failure(set.look.execute({ at: "sky" }, CALL))).toMatchObject({ code: "PERMISSION_DENIED" });
    expect(ran).toBe(false);
    expect(host.bodies("tool_result")).toMatchObject([{ error: { code: "PERMISSION_DENIED" } }]);
  });

  it("is stopped by the job as by its caller", async () => {
    const { host, tools } = createStage();
    const signals: AbortSignal[] = [];
    const execute = (_: unknown, { abortSignal }: { abortSignal?: AbortSignal }) =>
      void signals.push(abortSignal as AbortSignal);
    const set = tools({ look: tool({ inputSchema: At, execute }) });
    const caller = new AbortController();
    await set.look.execute({ at: "sky" }, { ...CALL, abortSignal: caller.signal });
    await set.look.execute({ at: "sky" }, CALL);
    caller.abort();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    host.stop();
    expect(signals[1]?.aborted).toBe(true);
  });

  it("keeps everything else it has, and its own this", async () => {
    const { tools } = createStage();
    class Counter {
      readonly inputSchema = At;
      count = 0;
      execute() {
        return ++this.count;
      }
    }
    const counter = new Counter();
    const look = tool({
      title: "Look",
      description: "looks",
      inputSchema: At,
      execute: () => 1,
      toModelOutput: () => ({ type: "text", value: "x" }),
    });
    const set = tools({ counter, look });
    expect(set.counter).toBeInstanceOf(Counter);
    expect([await set.counter.execute(), await set.counter.execute()]).toEqual([1, 2]);
    expect(counter.count).toBe(2);
    expect({ ...set.look, execute: undefined }).toEqual({ ...look, execute: undefined });
    expectTypeOf(set.look).toEqualTypeOf(look);
  });

  it("without a function of its own is left as it is", () => {
    const { tools } = createStage([]);
    const search = { type: "provider" as const, id: "x.search", args: {} };
    expect(tools({ search }).search).toBe(search);
  });

  it("may return what no event can hold whole", async () => {
    const { host, tools } = createStage();
    const long = "x".repeat(2_000_000);
    const set = tools({ look: tool({ inputSchema: At, execute: () => long }) });
    expect(await set.look.execute({ at: "sky" }, CALL)).toBe(long);
    expect(host.bodies("tool_result")).toMatchObject([{ result: { truncated: true, length: 2_000_002 } }]);
    expect(host.entries.every(({ text }) => text.length <= MAX_LOGGED_RESULT_LENGTH)).toBe(true);
  });

  it.each([[undefined], [[]], [{ look: null }], [{ look: { execute: "x" } }]])("refuses %j", (given) => {
    const { tools } = createStage();
    expect(() => tools(given as never)).toThrow(CodedError);
  });
});

describe("a tool that gives its outputs one by one", () => {
  async function* count(_: unknown) {
    yield 1;
    yield 2;
  }
  const collect = async (outputs: unknown): Promise<unknown[]> => {
    const all: unknown[] = [];
    for await (const output of outputs as AsyncIterable<unknown>) all.push(output);
    return all;
  };

  it("hands each of them on, and its last is its result", async () => {
    const { host, tools } = createStage();
    const set = tools({ look: tool({ inputSchema: At, execute: count }) });
    expect(await collect(set.look.execute({ at: "sky" }, CALL))).toEqual([1, 2]);
    expect(host.bodies("tool_result")).toMatchObject([{ result: 2 }]);
  });

  it("by another way than a generator: the last is what it returned", async () => {
    const { host, tools } = createStage();
    const set = tools({ look: tool({ inputSchema: At, execute: (input) => count(input) }) });
    expect(await set.look.execute({ at: "sky" }, CALL)).toBe(2);
    expect(host.bodies("tool_result")).toMatchObject([{ result: 2 }]);
  });

  it("is refused, fails, and is stopped as any other", async () => {
    const refused = createStage([]);
    const set = refused.tools({ look: tool({ inputSchema: At, execute: count }) });
    expect(await failure(collect(set.look.execute({ at: "sky" }, CALL)))).toMatchObject({ code: "PERMISSION_DENIED" });

    const failing = createStage();
    const broken = failing.tools({
      look: tool({
        inputSchema: At,
        async *execute() {
          yield 1;
          throw new Error("broken");
        },
      }),
    });
    expect(await failure(collect(broken.look.execute({ at: "sky" }, CALL)))).toMatchObject({ message: "broken" });
    await expect.poll(() => failing.host.bodies("tool_result")).toMatchObject([{ error: { message: "broken" } }]);

    const stopped = createStage();
    const endless = stopped.tools({
      look: tool({
        inputSchema: At,
        async *execute() {
          for (let n = 0; ; n++) yield n;
        },
      }),
    });
    const outputs = (endless.look.execute({ at: "sky" }, CALL) as AsyncIterable<number>)[Symbol.asyncIterator]();
    expect((await outputs.next()).value).toBe(0);
    stopped.host.stop();
    expect(await failure(outputs.next())).toMatchObject({ code: "CANCELLED" });
  });

  it("that its reader leaves has the last it gave as its result", async () => {
    const { host, tools } = createStage();
    const set = tools({ look: tool({ inputSchema: At, execute: count }) });
    for await (const _ of set.look.execute({ at: "sky" }, CALL) as AsyncIterable<number>) break;
    await expect.poll(() => host.bodies("tool_result")).toMatchObject([{ result: 1 }]);
  });
});

describe("with the AI SDK", () => {
  it("a refusal is the tool's error, which the model is told of", async () => {
    const { tools } = createStage([]);
    const model = new MockLanguageModelV4({ doGenerate: [asking, answering] });
    const look = tool({ inputSchema: At, execute: () => "blue" });
    const { steps, text } = await generateText({
      model,
      tools: tools({ look }),
      stopWhen: isStepCount(3),
      prompt: "?",
    });
    expect(text).toBe("done");
    expect(steps[0]?.content).toMatchObject([
      { type: "tool-call" },
      { type: "tool-error", error: { code: "PERMISSION_DENIED" } },
    ]);
    expect(JSON.stringify(model.doGenerateCalls[1]?.prompt)).toContain("tool.call on look");
  });

  it("outputs that come one by one are preliminary results", async () => {
    const { tools } = createStage();
    const chunks = [...asking.content, { type: "finish" as const, finishReason: asking.finishReason, usage }];
    const model = new MockLanguageModelV4({ doStream: async () => ({ stream: simulateReadableStream({ chunks }) }) });
    const set = tools({
      look: tool({
        inputSchema: At,
        async *execute() {
          yield "looking";
          yield "blue";
        },
      }),
    });
    const results: TypedToolResult<typeof set>[] = [];
    for await (const part of streamText({ model, tools: set, prompt: "?" }).stream) {
      if (part.type === "tool-result") results.push(part);
    }
    expect(results.map(({ output, preliminary = false }) => [output, preliminary])).toEqual([
      ["looking", true],
      ["blue", true],
      ["blue", false],
    ]);
  });
});
