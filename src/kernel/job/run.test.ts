import { describe, expect, it } from "vitest";
import { CodedError } from "../../protocol/errors.ts";
import type { AgentReturn, JobHost } from "../agents-port.ts";
import { anAgent, createTestKernel, echo, ME, say } from "../test-kernel.ts";
import { MAX_UNAWAITED_LENGTH } from "./active-job.ts";
import { MAX_ENTRY_LENGTH } from "./attempt.ts";

/** An agent whose host and end are the test's. */
function scripted(name = "scripted") {
  const given = Promise.withResolvers<JobHost>();
  const returning = Promise.withResolvers<AgentReturn>();
  returning.promise.catch(() => {});
  const agent = anAgent(name, (host) => {
    given.resolve(host);
    return returning.promise;
  });
  return { agent, host: given.promise, return: returning.resolve, throw: returning.reject };
}

describe("a running job", () => {
  it("[law-no-gap-or-repeat] has what its agent emits on its log, in order, before its result", async () => {
    const talker = anAgent("talker", async (host) => {
      for (let entry = 0; entry < 1_000; entry++) await say(host, String(entry));
      return { result: '"done"', summary: "1,000 entries" };
    });
    const { submit, log } = await createTestKernel({ agents: [talker] });
    const entries = await log((await submit("talker")).job.id);
    expect(entries).toHaveLength(1_001);
    expect(entries.slice(0, -1).map(({ payload }) => (payload.body as { message: string }).message)).toEqual(
      Array.from({ length: 1_000 }, (_, entry) => String(entry)),
    );
    expect(entries.at(-1)).toMatchObject({ code: "R", payload: { result: "done", summary: "1,000 entries" } });
  });

  it("ends with the reference to a result that was streamed", async () => {
    const streamer = anAgent("streamer", () => ({ stream: { resultId: "res_1", size: 3 } }));
    const { submit, log } = await createTestKernel({ agents: [streamer] });
    const { job } = await submit("streamer");
    expect(await log(job.id)).toMatchObject([{ code: "R", payload: { result_id: "res_1", result_size: 3 } }]);
  });

  it.each([
    ["rejects", () => Promise.reject(new Error("no such file")), { code: "INTERNAL_ERROR", retryable: true }],
    [
      "throws",
      () => {
        throw new Error("no such file");
      },
      { code: "INTERNAL_ERROR", retryable: true },
    ],
    ["rejects with nothing", () => Promise.reject(), { code: "INTERNAL_ERROR", retryable: true }],
    [
      "rejects with an object that cannot be shown",
      () => Promise.reject(Object.create(null)),
      { code: "INTERNAL_ERROR" },
    ],
    ["rejects with a symbol", () => Promise.reject(Symbol("stray")), { code: "INTERNAL_ERROR" }],
    [
      "rejects with a code",
      () => Promise.reject(new CodedError("PERMISSION_DENIED", "not yours", { details: { path: "/etc" } })),
      { code: "PERMISSION_DENIED", message: "not yours", retryable: false, details: { path: "/etc" } },
    ],
  ])("ends with one error when its agent %s, and no other job does", async (_, run, error) => {
    const failing = anAgent("failing", run);
    const { submit, log, stored, kernel } = await createTestKernel({ agents: [failing, echo] });
    const { job } = await submit("failing");
    expect(await log(job.id)).toMatchObject([{ code: "E", payload: { final_status: "error", ...error } }]);
    expect((await stored((await submit("echo", 1)).job.id)).status).toBe("success");
    expect(kernel.unfinished).toBe(0);
  });

  it("[law-commit-then-publish] shows nothing of what is emitted before it is stored", async () => {
    const { agent, host } = scripted();
    const { submit, kernel, store, world } = await createTestKernel({ agents: [agent] });
    const { job } = await submit("scripted");
    const seen: number[] = [];
    void (async () => {
      for await (const { payloads } of kernel.follow(job.id, 0)) seen.push(payloads.length);
    })();
    store.hold();
    say(await host, "unseen");
    await world.settle();
    expect(seen).toEqual([]);
    store.release();
    await world.settle();
    expect(seen).toEqual([1]);
  });
});

describe("emission", () => {
  it("is refused once more waits than memory is meant for, because nobody awaited room", async () => {
    const { agent, host } = scripted();
    const { submit, world, log } = await createTestKernel({ agents: [agent] });
    const { job } = await submit("scripted");
    const emitter = await host;
    const entry = "x".repeat(900_000);
    const emit = () => say(emitter, entry);
    for (let length = 0; length <= MAX_UNAWAITED_LENGTH; length += entry.length) emit();
    expect(emit).toThrow(expect.objectContaining({ code: "INTERNAL_ERROR" }));
    await world.settle();
    expect(await log(job.id)).toHaveLength(Math.ceil((MAX_UNAWAITED_LENGTH + 1) / entry.length));
    emit();
  });

  it("returns at once while there is room, and waits for room from 512 entries on", async () => {
    const { agent, host } = scripted();
    const { submit, world, log } = await createTestKernel({ agents: [agent] });
    const { job } = await submit("scripted");
    const emitter = await host;
    for (let entry = 0; entry < 511; entry++) expect(say(emitter, "x")).toBeUndefined();
    const room = say(emitter, "the one that fills it");
    expect(room).toBeInstanceOf(Promise);
    expect(await log(job.id)).toEqual([]);
    await world.settle();
    await expect(room).resolves.toBeUndefined();
    expect(await log(job.id)).toHaveLength(512);
    expect(say(emitter, "x")).toBeUndefined();
  });

  it("waits for room from 256 KiB on", async () => {
    const { agent, host } = scripted();
    const { submit, world } = await createTestKernel({ agents: [agent] });
    await submit("scripted");
    const emitter = await host;
    expect(say(emitter, "x".repeat(262_000))).toBeUndefined();
    const room = say(emitter, "x".repeat(200));
    expect(room).toBeInstanceOf(Promise);
    await world.settle();
    await expect(room).resolves.toBeUndefined();
  });

  it("waits for room as long as the store does not answer, with at most two buffers in memory", async () => {
    const go = Promise.withResolvers<void>();
    let emitted = 0;
    const chatty = anAgent("chatty", async (host) => {
      await go.promise;
      for (; emitted < 5_000; emitted++) await say(host, "x");
      return {};
    });
    const { submit, store, world, log } = await createTestKernel({ agents: [chatty] });
    const { job } = await submit("chatty");
    store.hold();
    go.resolve();
    for (let turn = 0; turn < 100; turn++) await world.settle();
    expect(store.held).toBe(1);
    expect(emitted).toBeGreaterThanOrEqual(512);
    expect(emitted).toBeLessThanOrEqual(1_024);
    store.release();
    await world.settle();
    expect([emitted, (await log(job.id)).length]).toEqual([5_000, 5_001]);
  });

  it("of a chatty agent lets another job through within a few commits", async () => {
    let stop = false;
    const chatty = anAgent("chatty", async (host) => {
      while (!stop) await say(host, "x");
      return {};
    });
    const quick = anAgent("quick", async (host) => {
      await say(host, "one");
      await host.flush();
      stop = true;
      return {};
    });
    const { kernel, world, batches } = await createTestKernel({ agents: [chatty, quick] });
    const submit = (agent: string) => kernel.submit({ principal: ME, session: null, agent, input: null }, () => {});
    void submit("chatty");
    void submit("quick");
    await world.settle();
    expect(kernel.unfinished).toBe(0);
    // Both accepted, one entry of the second stored, both ended.
    expect(batches.length).toBeLessThanOrEqual(5);
  });

  it("takes the longest entry and refuses a longer one, which ends nothing", async () => {
    const { agent, host, return: finish } = scripted();
    const { submit, world, log } = await createTestKernel({ agents: [agent] });
    const { job } = await submit("scripted");
    const emitter = await host;
    const text = (length: number) => JSON.stringify("x".repeat(length - 2));
    emitter.append("vendor", "x-test.long", text(MAX_ENTRY_LENGTH));
    const refused = expect.objectContaining({ code: "INVALID_REQUEST" });
    expect(() => emitter.append("vendor", "x-test.long", text(MAX_ENTRY_LENGTH + 1))).toThrow(refused);
    finish({});
    await world.settle();
    expect((await log(job.id)).map(({ code }) => code)).toEqual(["x", "R"]);
  });
});

describe("flushing", () => {
  it("waits until what was emitted is on the disk", async () => {
    const { agent, host } = scripted();
    const { submit, store, world, log } = await createTestKernel({ agents: [agent] });
    const { job } = await submit("scripted");
    store.hold();
    say(await host, "x");
    let flushed = false;
    void (await host).flush().then(() => {
      flushed = true;
    });
    await world.settle();
    expect(flushed).toBe(false);
    store.release();
    await world.settle();
    expect([flushed, (await log(job.id)).length]).toEqual([true, 1]);
  });

  it("resolves when nothing was emitted, also while another commit is in flight", async () => {
    const { agent, host } = scripted();
    const { submit, world } = await createTestKernel({ agents: [agent] });
    await submit("scripted");
    const flushes = [(await host).flush(), (await host).flush()];
    await world.settle();
    await expect(Promise.all(flushes)).resolves.toHaveLength(2);
    const another = (await host).flush();
    await world.settle();
    await expect(another).resolves.toBeUndefined();
  });

  it("stores a step's value with everything emitted before it", async () => {
    const { agent, host } = scripted();
    const { submit, world, store, batches } = await createTestKernel({ agents: [agent] });
    const { job } = await submit("scripted");
    say(await host, "x");
    const recorded = (await host).recordStep("a", "1");
    await world.settle();
    await recorded;
    expect(await store.readSteps(job.id)).toEqual([{ job: job.id, name: "a", value: "1" }]);
    expect(batches.at(-1)?.rows).toMatchObject({ chunks: [{}], steps: [{}] });
  });
});

describe("an agent that was stopped", () => {
  async function stopped() {
    const script = scripted();
    const test = await createTestKernel({ agents: [script.agent] });
    const { job } = await test.submit("scripted");
    const host = await script.host;
    const cancelled = test.kernel.cancel({ job: job.id, reason: "enough" }, () => {});
    return { ...test, ...script, host, id: job.id, cancelled };
  }
  const cancelled = expect.objectContaining({ code: "CANCELLED", message: "the job was cancelled: enough" });

  it("hears of it through its signal, in the turn of the stop", async () => {
    const { host } = await stopped();
    expect([host.signal.aborted, host.signal.reason]).toEqual([true, cancelled]);
  });

  it("[law-one-terminal] is refused everything it tries, and leaves nothing on the log", async () => {
    const { host, world, log, id, store } = await stopped();
    expect(() => say(host, "late")).toThrow(cancelled);
    expect(() => host.flush()).toThrow(cancelled);
    expect(() => host.recordStep("late", "1")).toThrow(cancelled);
    expect(() => host.guard.check({ namespace: "tool.call", target: "rm" })).toThrow(cancelled);
    await world.settle();
    expect(() => say(host, "later")).toThrow(cancelled);
    expect((await log(id)).map(({ code }) => code)).toEqual(["E"]);
    expect(await store.readSteps(id)).toEqual([]);
  });

  it.each([
    ["returns", "return"],
    ["throws", "throw"],
  ] as const)("changes nothing when it %s late", async (_, how) => {
    const { world, log, id, stored, ...script } = await stopped();
    await world.settle();
    if (how === "return") script.return({ result: "1" });
    else script.throw(new Error("late"));
    await world.settle();
    expect((await log(id)).map(({ code }) => code)).toEqual(["E"]);
    expect((await stored(id)).status).toBe("cancelled");
  });

  it("[law-one-terminal] has its late return lose against the cancel, and a cancel against its earlier return", async () => {
    for (const cancelFirst of [true, false]) {
      const script = scripted();
      const { submit, kernel, world, log } = await createTestKernel({ agents: [script.agent] });
      const { job } = await submit("scripted");
      const cancel = () => void kernel.cancel({ job: job.id }, () => {});
      if (cancelFirst) cancel();
      script.return({ result: "1" });
      // The return reaches the kernel some microtasks from now, within this turn of the event loop.
      for (let microtask = 0; microtask < 10; microtask++) await Promise.resolve();
      if (!cancelFirst) cancel();
      await world.settle();
      expect((await log(job.id)).map(({ code }) => code)).toEqual([cancelFirst ? "E" : "R"]);
    }
  });

  it("has its waiting flush rejected with the reason", async () => {
    const script = scripted();
    const { submit, kernel, world, store } = await createTestKernel({ agents: [script.agent] });
    const { job } = await submit("scripted");
    store.hold();
    say(await script.host, "x");
    const flushed = (await script.host).flush();
    flushed.catch(() => {});
    await world.settle();
    void kernel.cancel({ job: job.id, reason: "enough" }, () => {});
    store.release();
    await world.settle();
    await expect(flushed).rejects.toThrow(cancelled);
  });

  it("does not wait for room for ever", async () => {
    const script = scripted();
    const { submit, kernel, world } = await createTestKernel({ agents: [script.agent] });
    const { job } = await submit("scripted");
    let room: Promise<void> | undefined;
    for (let entry = 0; entry < 600; entry++) room = say(await script.host, "x");
    void kernel.cancel({ job: job.id }, () => {});
    await world.settle();
    await expect(room).resolves.toBeUndefined();
  });

  it("cannot emit after it has returned", async () => {
    const script = scripted();
    const { submit, world, log } = await createTestKernel({ agents: [script.agent] });
    const { job } = await submit("scripted");
    script.return({ result: "1" });
    await world.settle();
    const host = await script.host;
    expect(() => say(host, "late")).toThrow(expect.objectContaining({ code: "CANCELLED" }));
    expect(await log(job.id)).toHaveLength(1);
  });
});
