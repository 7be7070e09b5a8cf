import { describe, expect, it } from "vitest";
import { CodedError } from "../protocol/errors.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import type { AgentContext } from "./agent-context.ts";
import { createContext } from "./context.ts";
import type { Outside } from "./emission.ts";
import { createTestHost, type TestHostOptions } from "./test-host.ts";

const inside: Outside = (run, ...args) => run(...args);

function open(options: TestHostOptions = {}) {
  const host = createTestHost(options);
  return { host, ctx: createContext(host, { n: 1 }, createFakeWorld().ids, inside).ctx };
}

describe("what an agent is told", () => {
  it("is the job, its input and its lease", () => {
    const lease = { grants: { "fs.read": ["/a/**"] } };
    const { ctx } = open({ attempt: 2, agent: "report", version: "1.2.0", lease });
    expect(ctx).toMatchObject({
      jobId: "job_01TEST",
      agent: "report@1.2.0",
      input: { n: 1 },
      attempt: 2,
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-a3ce929d0e0e4736-01",
      lease,
    });
    expect(open().ctx.lease).toBeNull();
  });

  it("is told of a stop by one signal, whenever it asks for it", () => {
    const { host, ctx } = open();
    const { signal } = ctx;
    expect(signal.aborted).toBe(false);
    const reason = new CodedError("TIMEOUT", "too long");
    host.stop(reason);
    expect(signal.reason).toBe(reason);
    expect(ctx.signal).toBe(signal);
    const late = open();
    late.host.stop(reason);
    expect(late.ctx.signal.reason).toBe(reason);
  });
});

describe("emission", () => {
  it("puts each kind on the log in its form [arcp-8.2-kinds]", async () => {
    const { host, ctx } = open();
    const { log } = ctx;
    await log("hello\nworld");
    await log("warn", "careful");
    await log("error");
    await ctx.thought("hm");
    await ctx.status("reading");
    await ctx.status("reading", "a file");
    await ctx.progress({ current: 0 });
    await ctx.progress({ current: 1, total: 2, units: "files", message: "a" });
    await ctx.metric({ name: "cost.model", value: 0.5, unit: "USD", dimensions: { model: "m", cached: true } });
    await ctx.metric({ name: "files", value: -1 });
    await ctx.emit("x-acme.score", { score: 1 });
    expect(host.entries.map(({ kind, name, body }) => [kind, name, body])).toEqual([
      ["log", "log", { level: "info", message: "hello\nworld" }],
      ["log", "log", { level: "warn", message: "careful" }],
      ["log", "log", { level: "info", message: "error" }],
      ["thought", "thought", { text: "hm" }],
      ["status", "status", { phase: "reading" }],
      ["status", "status", { phase: "reading", message: "a file" }],
      ["progress", "progress", { current: 0 }],
      ["progress", "progress", { current: 1, total: 2, units: "files", message: "a" }],
      ["metric", "metric", { name: "cost.model", value: 0.5, unit: "USD", dimensions: { model: "m", cached: true } }],
      ["metric", "metric", { name: "files", value: -1 }],
      ["vendor", "x-acme.score", { score: 1 }],
    ]);
    for (const { text } of host.entries) expect(text).not.toMatch(/[\r\n]/);
  });

  const loose = (ctx: AgentContext) => ctx as unknown as Record<string, (...args: unknown[]) => Promise<void>>;

  it.each([
    ["log", [7], "log.message"],
    ["log", ["loud", "x"], "log.level"],
    ["log", ["info", { a: 1 }], "log.message"],
    ["thought", [undefined], "thought.text"],
    ["status", [1], "status.phase"],
    ["status", ["a", 1], "status.message"],
    ["progress", [3], "progress"],
    ["progress", [{}], "progress.current"],
    ["progress", [{ current: -1 }], "progress.current"],
    ["progress", [{ current: 1, total: Number.NaN }], "progress.total"],
    ["progress", [{ current: 1, units: 1 }], "progress.units"],
    ["metric", [{ name: "", value: 1 }], "metric.name"],
    ["metric", [{ name: "a", value: Number.POSITIVE_INFINITY }], "metric.value"],
    ["metric", [{ name: "a", value: "one" }], "metric.value"],
    ["metric", [{ name: "cost.model", value: -0.1, unit: "USD" }], "metric.value"],
    ["metric", [{ name: "cost.budget.remaining", value: 1 }], "metric.name"],
    ["metric", [{ name: "a", value: 1, dimensions: { b: {} } }], "metric.dimensions.b"],
    ["emit", ["log", {}], "emit.kind"],
    ["emit", ["x-acme", {}], "emit.kind"],
    ["emit", ['x-acme."', {}], "emit.kind"],
    ["emit", ["x-acme.a", []], "emit.body"],
    ["emit", ["x-acme.a", new Date(0)], "emit.body"],
  ] as const)("%s refuses %j [arcp-8.2.1-current-non-negative]", async (method, args, field) => {
    const { host, ctx } = open();
    await expect(loose(ctx)[method]?.(...args)).rejects.toMatchObject({ code: "INVALID_REQUEST", details: { field } });
    expect(host.entries).toEqual([]);
  });

  it("writes a metric's dimensions out as they were checked, whatever they make of themselves", async () => {
    const { host, ctx } = open();
    const dimensions = Object.defineProperty({ model: "m" }, "toJSON", { value: () => undefined });
    await ctx.metric({ name: "a", value: 1, dimensions });
    expect(host.bodies("metric")).toEqual([{ name: "a", value: 1, dimensions: { model: "m" } }]);
  });

  it("waits for room when the host asks it to, and shares one promise when not", async () => {
    const room = Promise.withResolvers<void>();
    const waiting = open({ room: () => room.promise });
    let gone = false;
    const logged = waiting.ctx.log("a").then(() => {
      gone = true;
    });
    await Promise.resolve();
    expect(gone).toBe(false);
    room.resolve();
    await logged;
    const { ctx } = open();
    expect(ctx.log("a")).toBe(ctx.thought("b"));
  });

  it("rejects with the stop's error after a stop, without being awaited too", async () => {
    const { host, ctx } = open();
    const reason = new CodedError("CANCELLED", "by a test");
    host.stop(reason);
    void ctx.log("dropped");
    for (const emission of [ctx.log("a"), ctx.progress({ current: 1 }), ctx.emit("x-a.b", {}), ctx.flush()]) {
      await expect(emission).rejects.toBe(reason);
    }
    expect(host.entries).toEqual([]);
  });
});

describe("step", () => {
  it("records its value before it resolves, and gives back what JSON keeps of it", async () => {
    const { host, ctx } = open();
    const value = await ctx.step("one", ({ key, signal }) => {
      expect(key).toBe("job_01TEST/one");
      expect(signal).toBe(ctx.signal);
      return { at: new Date(0), nothing: undefined };
    });
    expect(value).toEqual({ at: "1970-01-01T00:00:00.000Z" });
    expect(host.steps.get("one")).toBe('{"at":"1970-01-01T00:00:00.000Z"}');
    expect(await ctx.step("two", () => undefined)).toBeUndefined();
    expect(host.steps.get("two")).toBeNull();
  });

  it("returns what an earlier attempt recorded, without doing it again", async () => {
    const { ctx } = open({
      attempt: 2,
      steps: new Map([
        ["one", "[1]"],
        ["two", null],
      ]),
    });
    const never = () => {
      throw new Error("was run");
    };
    expect(await ctx.step("one", never)).toEqual([1]);
    expect(await ctx.step("two", never)).toBeUndefined();
  });

  it("refuses a name twice, at once or later, but lets a step that failed be tried again", async () => {
    const { ctx } = open();
    const gate = Promise.withResolvers<number>();
    const first = ctx.step("one", () => gate.promise);
    await expect(ctx.step("one", () => 2)).rejects.toMatchObject({ code: "INVALID_REQUEST", details: { step: "one" } });
    gate.resolve(1);
    expect(await first).toBe(1);
    await expect(ctx.step("one", () => 2)).rejects.toThrow("needs a name of its own");
    await expect(
      ctx.step("two", () => {
        throw new Error("broke");
      }),
    ).rejects.toThrow("broke");
    expect(await ctx.step("two", () => 2)).toBe(2);
  });

  it("refuses a value that JSON cannot hold, a wrong name, and a stopped job", async () => {
    const { host, ctx } = open();
    await expect(ctx.step("one", () => 1n)).rejects.toThrow('the value of step "one" cannot be written as JSON');
    await expect(ctx.step("", () => 1)).rejects.toMatchObject({ details: { field: "step.name" } });
    await expect(ctx.step("x".repeat(257), () => 1)).rejects.toMatchObject({ details: { field: "step.name" } });
    const reason = new CodedError("CANCELLED", "stop");
    host.stop(reason);
    let ran = false;
    await expect(
      ctx.step("three", () => {
        ran = true;
      }),
    ).rejects.toBe(reason);
    expect(ran).toBe(false);
  });
});

describe("tool", () => {
  it("is recorded durably before it starts, with the guard asked in the turn that starts it", async () => {
    const { host, ctx } = open();
    const result = await ctx.tool("search", { q: "a" }, ({ callId, signal }) => {
      host.trace.push(`run:${callId.slice(0, 5)}`);
      expect(signal).toBe(ctx.signal);
      return { hits: 2 };
    });
    expect(result).toEqual({ hits: 2 });
    expect(host.trace).toEqual([
      "guard:search",
      "append:tool_call",
      "flush",
      "guard:search",
      "run:call_",
      "append:tool_result",
    ]);
    const [call, answer] = host.entries;
    expect(call?.body).toEqual({ tool: "search", args: { q: "a" }, call_id: expect.stringMatching(/^call_/) });
    expect(answer?.body).toEqual({ call_id: call?.body.call_id, result: { hits: 2 } });
  });

  const expired = new CodedError("LEASE_EXPIRED", "too late");

  it("is refused before anything happens; the refusal is on the log and thrown", async () => {
    const { host, ctx } = open({
      guard: {
        check: () => {
          throw expired;
        },
      },
    });
    let ran = false;
    await expect(
      ctx.tool("search", {}, () => {
        ran = true;
      }),
    ).rejects.toBe(expired);
    expect(ran).toBe(false);
    expect(host.bodies("tool_result")).toEqual([
      { call_id: expect.any(String), error: { code: "LEASE_EXPIRED", message: "too late", retryable: false } },
    ]);
    expect(host.bodies("tool_call")[0]?.call_id).toBe(host.bodies("tool_result")[0]?.call_id);
  });

  it("is refused when the guard's answer changes while the record is written", async () => {
    let asked = 0;
    const { host, ctx } = open({
      guard: {
        check: () => {
          if (++asked === 2) throw expired;
        },
      },
    });
    let ran = false;
    await expect(
      ctx.tool("search", {}, () => {
        ran = true;
      }),
    ).rejects.toBe(expired);
    expect(ran).toBe(false);
    expect(host.bodies("tool_result")[0]).toMatchObject({ error: { code: "LEASE_EXPIRED" } });
  });

  it("never starts after a stop", async () => {
    const flushing = Promise.withResolvers<void>();
    const { host, ctx } = open({ flushed: () => flushing.promise });
    let ran = false;
    const call = ctx.tool("search", {}, () => {
      ran = true;
    });
    const reason = new CodedError("CANCELLED", "stop");
    host.stop(reason);
    flushing.resolve();
    await expect(call).rejects.toBe(reason);
    expect(ran).toBe(false);
  });

  it("puts what went wrong on the log, and throws what was thrown", async () => {
    const { host, ctx } = open();
    const broken = new Error("no network");
    await expect(ctx.tool("search", undefined, () => Promise.reject(broken))).rejects.toBe(broken);
    expect(host.bodies("tool_call")[0]).toMatchObject({ args: null });
    expect(host.bodies("tool_result")[0]).toMatchObject({ error: { code: "INTERNAL_ERROR", message: "no network" } });
  });

  it("gets one result on the log also when its result cannot be put there", async () => {
    const { host, ctx } = open({ maxEntryLength: 1_000 });
    await expect(ctx.tool("big", {}, () => 1n)).rejects.toThrow("the result of tool big cannot be written as JSON");
    await expect(ctx.tool("long", {}, () => "x".repeat(2_000))).rejects.toThrow("too long");
    expect(host.bodies("tool_result").map((body) => Object.keys(body))).toEqual([
      ["call_id", "error"],
      ["call_id", "error"],
    ]);
  });

  it("refuses arguments that JSON cannot hold, and a call without a name", async () => {
    const { host, ctx } = open();
    await expect(ctx.tool("search", { n: 1n }, () => 1)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await expect(ctx.tool("", {}, () => 1)).rejects.toMatchObject({ details: { field: "tool.name" } });
    expect(host.trace).toEqual([]);
  });
});
