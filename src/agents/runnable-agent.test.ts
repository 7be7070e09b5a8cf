import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { CodedError, type ErrorCode } from "../protocol/errors.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import type { AgentContext } from "./agent-context.ts";
import { AgentError } from "./agent-error.ts";
import { defineAgent } from "./define-agent.ts";
import { MAX_INLINE_RESULT_BYTES } from "./inline-return.ts";
import { createRunnableAgent } from "./runnable-agent.ts";
import { createTestHost } from "./test-host.ts";

const world = createFakeWorld();

function runnable(run: (ctx: AgentContext) => unknown) {
  return createRunnableAgent(defineAgent({ name: "sample", version: "1.0.0", run: (ctx) => run(ctx) }), world);
}

const outcomeOf = (run: (ctx: AgentContext) => unknown) => runnable(run).run(createTestHost(), {});

async function failureOf(work: Promise<unknown>): Promise<CodedError> {
  const failure = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(CodedError);
  return failure as CodedError;
}

describe("parseInput", () => {
  const agent = createRunnableAgent(
    defineAgent({
      name: "walk",
      version: "2",
      input: v.object({ path: v.string(), tags: v.optional(v.array(v.object({ name: v.string() })), []) }),
      run: (_ctx, input) => input,
    }),
    world,
  );

  it("returns the schema's output", () => {
    expect(agent.parseInput({ path: "a" })).toEqual({ path: "a", tags: [] });
  });

  it("lists where the input does not fit", () => {
    const parse = () => agent.parseInput({ path: 1, tags: [{ name: "x" }, { name: 2 }] });
    expect(parse).toThrow(/^walk@2: input\.path: .* \(and 1 more\)$/);
    try {
      parse();
    } catch (error) {
      expect(error).toMatchObject({
        code: "INVALID_REQUEST",
        details: { field: "input.path", issues: [{ path: "input.path" }, { path: "input.tags[1].name" }] },
      });
    }
  });

  it("awaits an asynchronous schema", async () => {
    const definition = defineAgent({
      name: "slow",
      version: "1",
      input: v.pipeAsync(
        v.string(),
        v.checkAsync(async (text) => text === "yes", "must be yes"),
      ),
      run: (_ctx, input) => input,
    });
    const slow = createRunnableAgent(definition, world);
    await expect(slow.parseInput("yes")).resolves.toBe("yes");
    await expect(slow.parseInput("no")).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      message: "slow@1: input: must be yes",
    });
  });
});

describe("the result", () => {
  it("is JSON text, absent for undefined", async () => {
    expect(await outcomeOf(() => ({ n: 1 }))).toEqual({ result: '{"n":1}' });
    expect(await outcomeOf(async () => null)).toEqual({ result: "null" });
    expect(await outcomeOf(() => undefined)).toEqual({});
  });

  it("goes through the output schema, and a wrong one names the field", async () => {
    const output = v.object({
      n: v.pipe(
        v.number(),
        v.transform((n) => n + 1),
      ),
    });
    const right = createRunnableAgent(defineAgent({ name: "a", version: "1", output, run: () => ({ n: 1 }) }), world);
    expect(await right.run(createTestHost(), {})).toEqual({ result: '{"n":2}' });
    const wrong = createRunnableAgent(
      defineAgent({ name: "a", version: "1", output, run: () => ({ n: "1" }) as never }),
      world,
    );
    const failure = await failureOf(wrong.run(createTestHost(), {}));
    expect(failure).toMatchObject({ code: "INTERNAL_ERROR", details: { field: "output.n" } });
  });

  it.each([
    ["a BigInt", () => ({ n: 1n }), "BigInt"],
    [
      "a cycle",
      () => {
        const loop: unknown[] = [];
        loop.push(loop);
        return loop;
      },
      "circular",
    ],
    ["a function", () => () => 1, "function"],
  ])("cannot hold %s", async (_what, run, reason) => {
    const failure = await failureOf(outcomeOf(run));
    expect(failure.code).toBe("INTERNAL_ERROR");
    expect(failure.message).toMatch(/^the result of sample@1\.0\.0 cannot be written as JSON: /);
    expect(failure.message).toContain(reason);
    expect(failure.message).not.toContain("\n");
  });

  it("is at most 1 MiB when given whole", async () => {
    const largest = "é".repeat(MAX_INLINE_RESULT_BYTES / 2 - 1);
    expect(await outcomeOf(() => largest)).toEqual({ result: `"${largest}"` });
    const failure = await failureOf(outcomeOf(() => `${largest}x`));
    expect(failure.code).toBe("INTERNAL_ERROR");
    expect(failure.message).toContain("use ctx.streamResult()");
  });

  it("is streamed in every attempt once one of them has begun to [arcp-8.4-not-mixed] [reading-one-kind-of-result-in-all-attempts]", async () => {
    const first = createTestHost();
    await runnable(async (ctx) => {
      await ctx.streamResult().write("x");
    })
      .run(first, {})
      .catch(() => {});
    const later = () => createTestHost({ attempt: 2, steps: first.steps });
    const failure = await failureOf(runnable(() => "whole").run(later(), {}));
    expect(failure).toMatchObject({ code: "INTERNAL_ERROR", retryable: false });
    expect(failure.message).toContain("stream it in every attempt");
    const streaming = runnable(async (ctx) => ctx.streamResult().end());
    expect(await streaming.run(later(), {})).toMatchObject({ stream: { size: 0 } });
  });

  it("may be streamed, and is then not given whole as well [arcp-8.4-not-mixed]", async () => {
    const streamed = { stream: { resultId: expect.stringMatching(/^res_/), size: 2 }, summary: "short" };
    const write = async (ctx: AgentContext) => {
      const stream = ctx.streamResult();
      await stream.write("é");
      return stream.end({ summary: "short" });
    };
    expect(await outcomeOf(write)).toEqual(streamed);
    expect(await outcomeOf(async (ctx) => void (await write(ctx)))).toEqual(streamed);
    const mixed = await failureOf(outcomeOf(async (ctx) => ({ ...(await write(ctx)) })));
    expect(mixed).toMatchObject({
      code: "INTERNAL_ERROR",
      message: expect.stringContaining("streamed its result and returned another"),
    });
  });

  it("must be ended when it is streamed", async () => {
    const failure = await failureOf(outcomeOf((ctx) => ctx.streamResult().write("half")));
    expect(failure).toMatchObject({ code: "INTERNAL_ERROR", message: expect.stringContaining("await stream.end()") });
  });
});

describe("a failure", () => {
  const thrown = (value: unknown) =>
    failureOf(
      outcomeOf(() => {
        throw value;
      }),
    );

  it("keeps the code, retryable and details of an AgentError", async () => {
    const failure = await thrown(
      new AgentError({ code: "PERMISSION_DENIED", message: "no", retryable: true, details: { a: 1 } }),
    );
    expect(failure.toBody()).toEqual({ code: "PERMISSION_DENIED", message: "no", retryable: true, details: { a: 1 } });
  });

  it("is INTERNAL_ERROR, retryable, with the message, for anything else", async () => {
    const error = new RangeError("too far");
    const failure = await thrown(error);
    expect(failure.toBody()).toEqual({ code: "INTERNAL_ERROR", message: "too far", retryable: true });
    expect(failure.cause).toBe(error);
    expect((await thrown("text")).message).toBe("text");
    expect((await thrown(undefined)).message).toBe("undefined");
    expect((await thrown({ a: 1 })).message).toBe('{"a":1}');
    expect(
      (
        await thrown({
          toJSON: () => {
            throw new Error("no");
          },
        })
      ).message,
    ).toContain("cannot be shown");
  });

  it("does not choose retryable where the table fixes it (§12)", async () => {
    const fixed = (code: ErrorCode, retryable: boolean) => thrown(new AgentError({ code, message: "x", retryable }));
    expect((await fixed("LEASE_EXPIRED", true)).retryable).toBe(false);
    expect((await fixed("BUDGET_EXHAUSTED", true)).retryable).toBe(false);
    expect((await fixed("INTERNAL_ERROR", false)).retryable).toBe(true);
  });

  it("with a code that is not of the table is INTERNAL_ERROR and keeps the code in its details", async () => {
    const failure = await thrown(
      new AgentError({ code: "RATE_LIMITED" as never, message: "slow down", details: { s: 3 } }),
    );
    expect(failure.toBody()).toEqual({
      code: "INTERNAL_ERROR",
      message: "slow down",
      retryable: true,
      details: { s: 3, agent_code: "RATE_LIMITED" },
    });
  });

  it("is recognised when it comes from another copy of the package", async () => {
    const foreign = Object.assign(new Error("gone"), { name: "AgentError", code: "JOB_NOT_FOUND", retryable: false });
    expect((await thrown(foreign)).code).toBe("JOB_NOT_FOUND");
    expect((await thrown(Object.assign(new Error("gone"), { code: "ENOENT" }))).code).toBe("INTERNAL_ERROR");
  });

  it("always fits on a log", async () => {
    const unwritable = await thrown(
      new AgentError({ code: "INVALID_REQUEST", message: "x".repeat(100_000), details: { n: 1n } }),
    );
    expect(unwritable.code).toBe("INVALID_REQUEST");
    expect(JSON.stringify(unwritable.toBody()).length).toBeLessThan(20_000);
    expect(unwritable.details).toHaveProperty("details_dropped");
  });

  it("tells details as they were written out once, whatever they say the next time", async () => {
    const failing = (details: object) =>
      thrown(new AgentError({ code: "INTERNAL_ERROR", message: "x", details: details as Record<string, unknown> }));
    let reads = 0;
    const changing = await failing({
      get field() {
        if (reads++ > 0) throw new Error("only once");
        return 1;
      },
    });
    expect(JSON.stringify(changing.toBody().details)).toBe('{"field":1}');
    const growing = await failing({ toJSON: () => ({ text: "x".repeat(reads++ > 1 ? 3_000_000 : 1) }) });
    expect(JSON.stringify(growing.toBody().details).length).toBeLessThan(100);
    expect((await failing({ toJSON: () => undefined })).details).toHaveProperty("details_dropped");
  });

  it("takes nothing untyped code put in the place of a field", async () => {
    const changed = (fields: object) =>
      thrown(Object.assign(new AgentError({ code: "INTERNAL_ERROR", message: "x" }), fields));
    for (const failure of [await changed({ retryable: 1n }), await changed({ message: 12n })]) {
      expect(JSON.parse(JSON.stringify(failure.toBody()))).toMatchObject({ code: "INTERNAL_ERROR", retryable: true });
    }
  });
});
