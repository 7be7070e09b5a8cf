import { describe, expect, it } from "vitest";
import { CodedError } from "../protocol/errors.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { createEmit } from "./emission.ts";
import { createOperate, type OperationRequest } from "./operation.ts";
import { createTestHost, type TestHostOptions } from "./test-host.ts";

function open(options: TestHostOptions = {}) {
  const host = createTestHost(options);
  const operate = createOperate({
    host,
    emit: createEmit(host, (run, ...args) => run(...args)),
    ids: createFakeWorld().ids,
    flush: () => host.flush(),
    signal: () => host.signal,
    span: undefined,
  });
  return { host, operate };
}

const denied = new CodedError("PERMISSION_DENIED", "no", { details: { target: "/secret" } });
const request = (more: Partial<OperationRequest<unknown>> = {}): OperationRequest<unknown> => ({
  operations: [{ namespace: "x-a.b", target: "one" }],
  tool: "thing",
  args: { n: 1 },
  ...more,
});

describe("an operation", () => {
  it("is on the disk before it starts, and the guard is asked again in the turn that starts it [arcp-9.3-evaluated-first]", async () => {
    const { host, operate } = open();
    const done = operate(request(), ({ traceparent }) => {
      host.trace.push("start");
      expect(traceparent).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/);
      return 2;
    });
    expect(await done).toBe(2);
    expect(host.trace).toEqual(["guard:one", "append:tool_call", "flush", "guard:one", "start", "append:tool_result"]);
  });

  it("starts in the very turn of the guard's answer: nothing gets in between", async () => {
    let asked = 0;
    let between = "nothing";
    const { operate } = open({
      guard: {
        check: () => {
          if (++asked === 2) {
            queueMicrotask(() => {
              between = "a microtask";
            });
          }
          return undefined;
        },
      },
    });
    expect(await operate(request(), () => between)).toBe("nothing");
    expect(asked).toBe(2);
  });

  it("waits for a guard that answers with a promise, and does not start when it refuses", async () => {
    const answers = [undefined, denied];
    let ran = false;
    const { host, operate } = open({
      guard: {
        check: async () => {
          const answer = answers.shift();
          if (answer !== undefined) throw answer;
        },
      },
    });
    const call = operate(request(), () => {
      ran = true;
    });
    await expect(call).rejects.toBe(denied);
    expect(ran).toBe(false);
    expect(host.bodies("tool_result")).toEqual([{ call_id: expect.any(String), error: denied.toBody() }]);
  });

  it.each(["at once", "by a promise"])("is allowed only when all that it touches is, %s", async (how) => {
    const asked: string[] = [];
    const { operate } = open({
      guard: {
        check: ({ target }) => {
          asked.push(target);
          if (target !== "three") return how === "at once" ? undefined : Promise.resolve();
          throw denied;
        },
      },
    });
    const operations = ["one", "two", "three", "four"].map((target) => ({ namespace: "x-a.b", target }));
    await expect(operate(request({ operations }), () => 1)).rejects.toBe(denied);
    expect(asked).toEqual(["one", "two", "three"]);
  });

  it("tells of a refusal in other words when asked to, on the log as well", async () => {
    const { host, operate } = open({
      guard: {
        check: () => {
          throw denied;
        },
      },
    });
    const told = new CodedError("PERMISSION_DENIED", "not there");
    await expect(operate(request({ reword: () => told }), () => 1)).rejects.toBe(told);
    expect(host.bodies("tool_result")[0]).toMatchObject({ error: { message: "not there" } });
    expect(JSON.stringify(host.entries)).not.toContain("/secret");
  });

  it("has on the log what it is described by", async () => {
    const { host, operate } = open();
    expect(await operate(request({ describe: () => ({ bytes: 3 }) }), () => "abc")).toBe("abc");
    await operate(request({ describe: () => undefined }), () => "abc");
    expect(host.bodies("tool_result").map(({ result }) => result)).toEqual([{ bytes: 3 }, null]);
  });

  it("has a failure on the log that its caller learns of by the result", async () => {
    const { host, operate } = open();
    const failure = new CodedError("BUDGET_EXHAUSTED", "upstream says so");
    expect(await operate(request({ describe: () => failure }), () => ({ isError: true }))).toEqual({ isError: true });
    expect(host.bodies("tool_result")[0]).toMatchObject({ error: { code: "BUDGET_EXHAUSTED" } });
  });

  it("is concluded later when what it comes to is known later", async () => {
    const { host, operate } = open();
    const usage = Promise.withResolvers<object>();
    await operate(request({ describe: () => usage.promise }), () => "stream");
    expect(host.bodies("tool_result")).toEqual([]);
    usage.resolve({ tokens: 5 });
    await expect.poll(() => host.bodies("tool_result")).toMatchObject([{ result: { tokens: 5 } }]);

    await operate(request({ describe: () => Promise.reject(new Error("cut short")) }), () => "stream");
    await expect.poll(() => host.bodies("tool_result")[1]).toMatchObject({ error: { message: "cut short" } });

    await operate(request({ describe: () => Promise.resolve(1n) }), () => "stream");
    await expect.poll(() => host.bodies("tool_result")[2]).toMatchObject({ error: { code: "INVALID_REQUEST" } });
  });

  it("has its one result on the log whatever it throws", async () => {
    const fails = (): never => {
      throw new Error("no");
    };
    const coded = (fields: PropertyDescriptorMap) =>
      Object.defineProperties(new Error("x"), { code: { value: "CANCELLED" }, retryable: { value: true }, ...fields });
    const { host, operate } = open();
    for (const thrown of [
      new Proxy(new Error("x"), { getPrototypeOf: fails }),
      new Proxy(new Error("x"), { has: fails }),
      coded({ name: { get: fails } }),
      coded({ name: { value: "AgentError" }, code: { get: fails } }),
    ]) {
      const call = operate(request(), () => {
        throw thrown;
      });
      const came = await call.catch((error: unknown) => [error]);
      expect(came).toHaveLength(1);
      expect((came as readonly unknown[])[0] === thrown).toBe(true);
    }
    expect(host.bodies("tool_result")).toHaveLength(4);
    for (const { error } of host.bodies("tool_result")) expect(error).toMatchObject({ code: "INTERNAL_ERROR" });
  });

  it("hands nothing out after a stop, however far it had got", async () => {
    const { host, operate } = open();
    const work = Promise.withResolvers<string>();
    const call = operate(request(), () => work.promise);
    await expect.poll(() => host.trace).toContain("flush");
    const stopped = new CodedError("CANCELLED", "stop");
    host.stop(stopped);
    work.resolve("a secret");
    await expect(call).rejects.toBe(stopped);
    expect(host.bodies("tool_result")).toEqual([]);
  });

  it("is recorded one by one when many are under way", async () => {
    const { host, operate } = open();
    await Promise.all(Array.from({ length: 50 }, (_, n) => operate(request({ args: { n } }), () => n)));
    const calls = host.bodies("tool_call").map(({ call_id, args }) => [call_id, args]);
    const results = new Map(host.bodies("tool_result").map(({ call_id, result }) => [call_id, result]));
    expect(new Set(calls.map(([id]) => id)).size).toBe(50);
    for (const [id, args] of calls) expect(args).toEqual({ n: results.get(id) });
  });
});
