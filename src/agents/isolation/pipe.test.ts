/** Both ends of the pipe, in one process: a context on a `RemoteHost`, and the job's real host behind a `HostedAgent`. */
import { duplexPair } from "node:stream";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { Guard } from "../../kernel/authority/guard.ts";
import type { PermissionAsk } from "../../kernel/authority/permission-ask.ts";
import { createSystemWorld } from "../../platform/system-world.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { AgentContext } from "../agent-context.ts";
import { createContext } from "../context.ts";
import { createTestHost, type TestHost, type TestHostOptions } from "../test-host.ts";
import { createFileCalls, createRemoteFiles } from "./file-calls.ts";
import { HostedAgent } from "./hosted-agent.ts";
import { createLineWriter, readLines } from "./lines.ts";
import { MAX_LINE_BYTES, MAX_SENT_BYTES, type ToAgent } from "./messages.ts";
import { RemoteHost } from "./remote-host.ts";

const { ids, timers } = createSystemWorld();
const nextTurn = (): Promise<void> => new Promise((resolve) => timers.soon(resolve));

interface Joined {
  readonly host: TestHost;
  readonly hosted: HostedAgent;
  readonly remote: RemoteHost;
  readonly ctx: AgentContext;
}

function join(options: TestHostOptions & { readonly host?: Partial<TestHost>; readonly files?: object } = {}): Joined {
  const [here, there] = duplexPair();
  const host: TestHost = Object.assign(createTestHost(options), options.host);
  const files = options.files as AgentContext["fs"];
  const calls = createFileCalls(() => files);
  const hosted = new HostedAgent({
    host,
    writer: createLineWriter(here),
    agent: "a@1.0.0",
    maxResultBytes: 1_000,
    calls,
  });
  readLines(here, MAX_LINE_BYTES, (line) => hosted.take(line)).catch((error: unknown) => hosted.end(error));
  host.signal.addEventListener("abort", () => hosted.send({ type: "stop", error: host.signal.reason.toBody() }));
  const { principal: _principal, session: _session, ...job } = host.job;
  const start = {
    type: "start",
    module: "",
    job,
    attempt: host.attempt,
    settings: {},
    budget: host.budget.view(),
  } as const;
  const remote = new RemoteHost(start, host.steps, createLineWriter(there));
  readLines(there, MAX_LINE_BYTES * 10, (line) => {
    remote.take(JSON.parse(line) as ToAgent);
    return undefined;
  }).catch(() => {});
  const open = createContext(remote, null, ids, (run, ...args) => run(...args), { files: createRemoteFiles(remote) });
  return { host, hosted, remote, ctx: open.ctx };
}

const refusal = (code: "PERMISSION_DENIED" | "CANCELLED") => new CodedError(code, "no", { details: { why: "tested" } });

describe("a context across the pipe", () => {
  it("has a guard that answers for the job's own", async () => {
    const guard = {
      check({ target }: { target: string }): undefined {
        if (target !== "allowed") throw refusal("PERMISSION_DENIED");
      },
    };
    const { ctx, host } = join({ guard });
    expect(await ctx.tool("allowed", 1, () => 2)).toBe(2);
    const start = vi.fn();
    await expect(ctx.tool("refused", 1, start)).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
      message: "no",
      retryable: false,
      details: { why: "tested" },
    });
    expect(start).not.toHaveBeenCalled();
    await ctx.flush();
    expect(host.bodies("tool_result")).toEqual([
      { call_id: expect.any(String), result: 2 },
      { call_id: expect.any(String), error: expect.objectContaining({ code: "PERMISSION_DENIED" }) },
    ]);
    // Asked twice for what is started: the second time after its record is durable.
    expect(host.trace.slice(0, 4)).toEqual(["guard:allowed", "append:tool_call", "flush", "guard:allowed"]);
  });

  it("has what earlier attempts returned from steps, and records its own", async () => {
    const { ctx, host } = join({ steps: new Map([["before", '{"a":1}']]), attempt: 2 });
    const work = vi.fn();
    expect(await ctx.step("before", work)).toEqual({ a: 1 });
    expect(work).not.toHaveBeenCalled();
    expect(await ctx.step("now", () => undefined)).toBeUndefined();
    expect(host.steps.get("now")).toBeNull();
  });

  it("shows the counters as they are once it has the answer, and reserves", async () => {
    const { ctx } = join({ budget: { USD: "1" } });
    expect(ctx.budget.remaining("USD")).toBe("1");
    await ctx.charge({ USD: "0.1" });
    expect(ctx.budget.remaining("USD")).toBe("0.9");
    const reservation = await ctx.budget.reserve({ USD: "0.5" });
    expect(ctx.budget.available("USD")).toBe("0.4");
    await expect(ctx.budget.reserve({ USD: "0.5" })).rejects.toMatchObject({ code: "BUDGET_EXHAUSTED" });
    await reservation.commit({ USD: "0.2" });
    expect(ctx.budget.remaining("USD")).toBe("0.7");
    await (await ctx.budget.reserve({ USD: "0.7" })).release();
    expect(ctx.budget.available("USD")).toBe("0.7");
  });

  it("asks for permissions, and the guard is told of exact arguments only where it matters", async () => {
    const asked: PermissionAsk[] = [];
    const checks: unknown[] = [];
    const guard: Guard = {
      check({ target, operation, digest }) {
        checks.push([target, operation, digest?.()]);
        const isGranted = asked.some(({ resource, argsDigest }) => resource === target && argsDigest === digest?.());
        if (target !== "allowed" && !isGranted) throw refusal("PERMISSION_DENIED");
        return undefined;
      },
    };
    const grant: TestHostOptions["grant"] = async (ask) => {
      asked.push(ask);
      return { permissionId: "p", leaseId: "l", expiresAt: 9, ...ask };
    };
    const files = { write: vi.fn(async () => {}) };
    files.write.mockRejectedValueOnce(refusal("PERMISSION_DENIED"));
    const { ctx } = join({ guard, grant, files });
    await ctx.tool("allowed", 1, () => 2);
    expect(checks).toEqual([
      ["allowed", undefined, undefined],
      ["allowed", undefined, undefined],
    ]);
    expect(await ctx.tool("refund", { amount: "50" }, () => "paid", { onDenied: "ask" })).toBe("paid");
    expect(asked).toMatchObject([{ resource: "refund", operation: "call", args: { amount: "50" } }]);
    await expect(ctx.tool("refund", { amount: "60" }, () => "paid")).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
    });
    await ctx.fs.write("/a/b", "content", { onDenied: "ask" });
    expect(asked[1]).toMatchObject({ permission: "fs.write", resource: "/a/b", operation: "write" });
    expect(files.write).toHaveBeenCalledTimes(2);
    const own = { permission: "x-acme.db", resource: "orders", operation: "drop", args: { all: true } };
    expect(await ctx.requestPermission(own)).toMatchObject({ permissionId: "p", expiresAt: 9 });
    expect(asked[2]).toEqual(own);
  });

  it("keeps artifacts, and gets back what reading them threw as it was", async () => {
    const { ctx, host } = join();
    const large = new Uint8Array(1_000_000).fill(7);
    const kept = await ctx.artifact({ contentType: "image/png", data: large });
    expect(kept).toMatchObject({ byte_size: large.length, content_type: "image/png" });
    expect(host.bodies("artifact_ref")).toEqual([kept]);
    const thrown = new RangeError("of the agent's own");
    const data = (async function* () {
      yield "begun";
      throw thrown;
    })();
    await expect(ctx.artifact({ contentType: "text/plain", data })).rejects.toBe(thrown);
    expect(host.bodies("artifact_ref")).toHaveLength(1);
  });

  it("delegates, and gets results of any kind", async () => {
    const results: unknown[] = ["text", { json: [1] }, undefined, new Uint8Array([1, 2, 255])];
    const asked: unknown[] = [];
    const delegate: TestHost["delegate"] = async (request) => {
      asked.push(request);
      const result = async (): Promise<unknown> => results.shift();
      return { jobId: `job_${results.length}`, delegateId: "d", agent: "other@1.0.0", result, cancel: async () => {} };
    };
    const { ctx } = join({ host: { delegate } });
    const child = await ctx.delegate("other", { some: "input" }, { lease: { "fs.read": ["/a/**"] }, key: "k" });
    expect({ jobId: child.jobId, agent: child.agent }).toEqual({ jobId: "job_4", agent: "other@1.0.0" });
    expect(asked).toEqual([
      expect.objectContaining({
        agent: "other",
        input: { some: "input" },
        leaseRequest: { "fs.read": ["/a/**"] },
        key: "k",
      }),
    ]);
    expect(await child.result()).toBe("text");
    expect(await child.result()).toEqual({ json: [1] });
    expect(await child.result()).toBeUndefined();
    expect(await child.result()).toEqual(new Uint8Array([1, 2, 255]));
    await child.cancel("enough");
  });

  it("hears why the job was stopped, and is refused from then on", async () => {
    const { ctx, host } = join();
    await ctx.log("before");
    await ctx.flush();
    host.stop(refusal("CANCELLED"));
    await vi.waitFor(() => expect(ctx.signal.aborted).toBe(true));
    expect(ctx.signal.reason).toMatchObject({ code: "CANCELLED", message: "no" });
    await expect(ctx.log("after")).rejects.toMatchObject({ code: "CANCELLED" });
    await expect(ctx.flush()).rejects.toMatchObject({ code: "CANCELLED" });
    expect(host.bodies("log")).toEqual([{ level: "info", message: "before" }]);
  });

  it("gets errors of the system as Node has them, and none that is too long", async () => {
    const error = Object.assign(new Error("no such file"), { code: "ENOENT", errno: -2, syscall: "open", path: "/a" });
    const read = vi
      .fn()
      .mockRejectedValueOnce(error)
      .mockResolvedValueOnce(Buffer.alloc(MAX_SENT_BYTES + 1));
    const { ctx } = join({ files: { read } });
    await expect(ctx.fs.read("/a")).rejects.toMatchObject({
      message: "no such file",
      code: "ENOENT",
      syscall: "open",
      path: "/a",
    });
    await expect(ctx.fs.read("/a")).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { limit: MAX_SENT_BYTES },
    });
  });

  it("[attack-held-answers] has one file at a time held for it, whole, however many it asks for", async () => {
    let open = 0;
    let most = 0;
    const content = Buffer.from("é".repeat(300_000));
    const hold = async (): Promise<Uint8Array> => {
      most = Math.max(most, ++open);
      await nextTurn();
      open--;
      return content;
    };
    const { ctx } = join({ files: { read: hold, write: hold, append: hold } });
    const reads = Array.from({ length: 5 }, () => ctx.fs.readText("/a"));
    const writes = Array.from({ length: 5 }, () => ctx.fs.write("/a", content));
    await Promise.all(writes);
    expect(await Promise.all(reads)).toEqual(Array.from({ length: 5 }, () => content.toString()));
    expect(most).toBe(1);
  });

  it("records long values of steps, and is told long results of children, in pieces", async () => {
    const value = "\u0000é😀".repeat(150_000);
    const { ctx, host } = join({
      host: {
        delegate: async () => ({
          jobId: "job_1",
          delegateId: "d",
          agent: "other@1.0.0",
          result: async () => value,
          cancel: async () => {},
        }),
      },
    });
    expect(await ctx.step("long", () => value)).toBe(value);
    expect(host.steps.get("long")).toBe(JSON.stringify(value));
    expect(await (await ctx.delegate("other", null)).result()).toBe(value);
    await expect(ctx.step("longer", () => "x".repeat(5_000_000))).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await expect(ctx.delegate("other", "x".repeat(2_000_000))).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });

  it("has a few things done for it at a time, and the rest in its order", async () => {
    let under = 0;
    let most = 0;
    const recordStep = async (): Promise<void> => {
      most = Math.max(most, ++under);
      await nextTurn();
      under--;
    };
    const { remote, hosted } = join({ host: { recordStep } });
    hosted.outcome.catch(() => {});
    await Promise.all(Array.from({ length: 2_000 }, (_, index) => remote.recordStep(`${index}`, null)));
    expect(most).toBeLessThanOrEqual(300);
  });

  it("waits where the job's log has no room, and goes on in order", async () => {
    const room = Promise.withResolvers<void>();
    let isFull = true;
    const { ctx, host } = join({ room: () => (isFull ? room.promise : undefined) });
    const flushed = Promise.all(Array.from({ length: 50 }, (_, index) => ctx.log(`${index}`))).then(() => ctx.flush());
    await vi.waitFor(() => expect(host.bodies("log")).toHaveLength(1));
    isFull = false;
    room.resolve();
    await flushed;
    expect(host.bodies("log").map(({ message }) => message)).toEqual(
      Array.from({ length: 50 }, (_, index) => `${index}`),
    );
  });
});

describe("what an agent's process returns", () => {
  const take = (line: object, options?: TestHostOptions) => {
    const { hosted } = join(options);
    try {
      hosted.take(JSON.stringify(line));
    } catch (error) {
      hosted.end(error);
    }
    return hosted.outcome;
  };

  it("is a value, or nothing", async () => {
    expect(await take({ type: "returned", result: { a: [1, null] } })).toEqual({ result: '{"a":[1,null]}' });
    expect(await take({ type: "returned" })).toEqual({});
    expect(await take({ type: "returned", result: null })).toEqual({ result: "null" });
  });

  it.each([
    ["a call that grants", { type: "call", id: 1, method: "grantPermission", args: [{ permission: "perm_1" }] }],
    [
      "an event of a decision",
      { type: "append", kind: "vendor", name: "x-leasehold.permission", body: { state: "granted" } },
    ],
  ])("cannot be %s [attack-grant-own]", async (_what, line) => {
    await expect(take(line)).rejects.toMatchObject({ name: "Violation" });
  });

  it.each([
    ["too long a value", { type: "returned", result: "x".repeat(1_048_577) }, "INTERNAL_ERROR"],
    ["a stream that never was", { type: "returned", streamed: true }, undefined],
    ["an error of no code", { type: "failed", error: { code: "MINE", message: "", retryable: true } }, undefined],
  ])("cannot be %s", async (_what, line, code) => {
    await expect(take(line)).rejects.toMatchObject(code === undefined ? { name: "Violation" } : { code });
  });

  it("cannot be a whole result after chunks of an earlier attempt", async () => {
    const steps = new Map([["", "res_01"]]);
    await expect(take({ type: "returned", result: 1 }, { steps })).rejects.toMatchObject({ name: "Violation" });
  });

  it.each([
    ["no data", { type: "piece", id: 1 }],
    ["an error that is none", { type: "piece", id: 1, error: {} }],
  ])("leaves nobody waiting for its content after %s", async (_what, line) => {
    const read = Promise.withResolvers<unknown>();
    const putArtifact: TestHost["putArtifact"] = async (_label, content) => {
      read.resolve(Array.fromAsync(content));
      return (await read.promise) as never;
    };
    const { hosted } = join({ host: { putArtifact } });
    hosted.take(JSON.stringify({ type: "call", id: 1, method: "putArtifact", args: ["a", "text/plain"] }));
    expect(() => hosted.take(JSON.stringify(line))).toThrow();
    hosted.end(new Error("over"));
    await expect(read.promise).rejects.toThrow("over");
  });

  it("[attack-held-arguments] cannot be arguments without end, of calls that last", () => {
    const { hosted } = join();
    const args = ["a", "text/plain", "x".repeat(1_000_000)];
    expect(() => {
      for (let id = 1; id <= 40; id++) hosted.take(JSON.stringify({ type: "call", id, method: "putArtifact", args }));
    }).toThrow("calls under way");
    hosted.end(new Error("over"));
  });

  it("is an error within the bounds of one", async () => {
    const error = {
      code: "TIMEOUT",
      message: "m".repeat(100_000),
      retryable: true,
      details: { d: "d".repeat(100_000) },
    };
    const failure = await take({ type: "failed", error }).catch((thrown: CodedError) => thrown.toBody());
    expect(failure).toMatchObject({ code: "TIMEOUT", details: { details_dropped: expect.any(String) } });
    expect(JSON.stringify(failure).length).toBeLessThan(20_000);
  });
});

it("takes anything a process may send for what an agent may do, or for a violation", async () => {
  const known = fc.constantFrom("append", "report", "call", "piece", "returned", "failed", "log", "metric", "delegate");
  const methods = fc.constantFrom(
    "check",
    "flush",
    "recordStep",
    "reserve",
    "delegate",
    "putArtifact",
    "fs.read",
    "job",
  );
  const value = fc.oneof(fc.jsonValue(), known, methods, fc.nat(3));
  const message = fc.record(
    {
      type: known,
      id: value,
      kind: value,
      name: value,
      body: value,
      method: value,
      args: fc.array(value),
      metric: value,
      data: value,
    },
    { requiredKeys: ["type"] },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(message, fc.jsonValue()), { maxLength: 20 }), async (messages) => {
      const { hosted, host } = join({ budget: { USD: "1" } });
      for (const each of messages) {
        try {
          await hosted.take(JSON.stringify(each));
        } catch (error) {
          expect(["Violation", "CodedError"]).toContain((error as Error).name);
          hosted.end(error);
        }
      }
      hosted.end(new Error("over"));
      const kinds = host.entries.map(({ kind, name }) => [kind, name]);
      expect(kinds.filter(([kind]) => kind === "result" || kind === "error" || kind === "delegate")).toEqual([]);
      expect(host.budget.view().USD?.granted).toBe("1");
    }),
    { numRuns: 300 },
  );
});
