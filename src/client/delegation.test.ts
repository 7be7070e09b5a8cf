import { describe, expect, it } from "vitest";
import { FEATURES } from "../protocol/features.ts";
import type { Job } from "./job.ts";
import { collect, open, type Rig, submitEcho, upTo } from "./test-rig.ts";

/** Reads what a job delegates as it comes. */
function children(job: Job): { readonly jobs: Job[]; readonly end: Promise<string> } {
  const jobs: Job[] = [];
  const end = (async () => {
    try {
      for await (const child of job.delegated()) jobs.push(child);
      return "end";
    } catch (error) {
      return (error as { code: string }).code;
    }
  })();
  return { jobs, end };
}

const idsOf = (jobs: readonly Job[]): string[] => jobs.map(({ id }) => id);

describe("what a job delegates [reading-delegation]", () => {
  it("comes with its handle: bounds, events, result", async () => {
    const rig = await open();
    const job = await submitEcho(rig);
    const read = children(job);
    const id = rig.runtime.delegate(job.id, "worker");
    await rig.world.settle();
    const [child] = read.jobs;
    expect(child).toMatchObject({
      id,
      agent: "worker@1.0.0",
      parentJobId: job.id,
      delegateId: expect.any(String),
      idempotencyKey: undefined,
    });
    expect(idsOf(job.children)).toEqual([id]);
    const events = collect(child as Job);
    rig.runtime.emit(id, "log", { level: "info", message: "at work" });
    rig.runtime.succeed(id, { result: 42 });
    rig.runtime.succeed(job.id);
    await rig.world.settle();
    expect(events.events).toMatchObject([{ kind: "log", jobSeq: 1 }]);
    expect(await child?.result()).toBe(42);
    expect(await read.end).toBe("end");
  });

  it("is had by every reader, also after the end, in the order of the log", async () => {
    const rig = await open();
    const job = await submitEcho(rig);
    const ids = [rig.runtime.delegate(job.id), rig.runtime.delegate(job.id)];
    for (const id of [...ids].reverse()) rig.runtime.succeed(id);
    rig.runtime.succeed(job.id);
    await rig.world.settle();
    for (const read of [children(job), children(job)]) {
      expect(await rig.settled(read.end)).toBe("end");
      expect(idsOf(read.jobs)).toEqual(ids);
    }
  });

  it("goes on to what that delegates in turn", async () => {
    const rig = await open();
    const job = await submitEcho(rig);
    const child = rig.runtime.delegate(job.id);
    const grandchild = rig.runtime.delegate(child);
    await rig.world.settle();
    expect(idsOf(job.children)).toEqual([child]);
    expect(idsOf(job.children[0]?.children ?? [])).toEqual([grandchild]);
  });

  it("is kept only while there is room for it, and is subscribed to anew when it is read after that", async () => {
    const rig = await open({ maxBufferedLength: 4_000 });
    const job = await submitEcho(rig);
    const ids = Array.from({ length: 10 }, () => {
      const id = rig.runtime.delegate(job.id);
      rig.runtime.emit(id, "log", { level: "info", message: "x".repeat(100) });
      rig.runtime.succeed(id, { result: id });
      return id;
    });
    await rig.world.settle();
    expect(job.children.length).toBeLessThan(10);
    const read = children(job);
    await rig.wait();
    expect(idsOf(read.jobs)).toEqual(ids);
    expect(await rig.settled(read.jobs[0]?.result() ?? Promise.reject())).toBe(ids[0]);
    expect(rig.runtime.sent("job.subscribe").length).toBeGreaterThan(0);
  });

  it("answers no submission that waits for its own acceptance", async () => {
    const rig = await open();
    const job = await submitEcho(rig);
    rig.runtime.onMessage = (message) => message.type === "job.submit";
    const submitting = rig.session.submit("echo", null);
    let answered = false;
    submitting.then(() => {
      answered = true;
    });
    rig.runtime.delegate(job.id);
    await rig.world.settle();
    expect(answered).toBe(false);
    expect(job.children).toHaveLength(1);
  });

  it("may be cancelled, and not be left", async () => {
    const rig = await open({ features: FEATURES.filter((feature) => feature !== "x-leasehold.control") });
    const job = await submitEcho(rig);
    const id = rig.runtime.delegate(job.id);
    await rig.world.settle();
    const [child] = job.children;
    expect(() => child?.unsubscribe()).toThrow(TypeError);
    await rig.settled(child?.cancel("enough") ?? Promise.reject());
    expect(rig.runtime.sent("job.cancel").map(({ payload }) => payload.job_id)).toEqual([id]);
    expect(child?.status).toBe("cancelled");
  });

  it("is the same handle to a subscription", async () => {
    const rig = await open();
    const job = await submitEcho(rig);
    const id = rig.runtime.delegate(job.id);
    rig.runtime.emit(id, "log", { level: "info", message: "at work" });
    await rig.world.settle();
    expect(await rig.settled(rig.session.subscribe(id, { history: true }))).toBe(job.children[0]);
    expect(rig.runtime.sent("job.subscribe")).toEqual([]);
  });

  it("is read until its signal aborts", async () => {
    const rig = await open();
    const job = await submitEcho(rig);
    const stop = new AbortController();
    const next = job.delegated({ signal: stop.signal }).next();
    stop.abort(new Error("enough"));
    await expect(rig.settled(next)).rejects.toThrow("enough");
  });

  it("ends with the session", async () => {
    const rig = await open();
    const job = await submitEcho(rig);
    const read = children(job);
    await rig.settled(rig.session.close());
    expect(await read.end).toBe("SESSION_CLOSED");
  });
});

describe("children of a job that does not bring them", () => {
  async function expectSubscribed(rig: Rig, job: Job): Promise<void> {
    const id = rig.runtime.delegate(job.id);
    rig.runtime.emit(id, "log", { level: "info", message: "before anybody looked" });
    await rig.world.settle();
    expect(job.children).toEqual([]);
    const read = children(job);
    await rig.world.settle();
    expect(idsOf(read.jobs)).toEqual([id]);
    expect(rig.runtime.sent("job.subscribe").at(-1)?.payload).toMatchObject({ job_id: id, from_job_seq: 0 });
    const events = collect(read.jobs[0] as Job);
    rig.runtime.succeed(id);
    await rig.world.settle();
    expect(events.events).toHaveLength(1);
  }

  it("are subscribed to when they are read: of a job that was subscribed to", async () => {
    const rig = await open();
    const other = await open();
    const { id } = await submitEcho(rig);
    other.runtime.jobs.set(id, { id, log: [], status: "running" });
    await expectSubscribed(other, await other.settled(other.session.subscribe(id)));
  });

  it("are subscribed to when they are read: without the feature", async () => {
    const rig = await open({ features: FEATURES.filter((feature) => feature !== "x-leasehold.delegation") });
    await expectSubscribed(rig, await submitEcho(rig));
  });

  it("are subscribed to when they are read: after another session has taken the job up", async () => {
    const rig = await open();
    const job = await submitEcho(rig);
    rig.runtime.expireSessions();
    await rig.wait();
    await expectSubscribed(rig, job);
  });

  it("reject the reader when they cannot be followed", async () => {
    const rig = await open();
    const job = await submitEcho(rig);
    rig.runtime.expireSessions();
    await rig.wait();
    rig.runtime.jobs.delete(rig.runtime.delegate(job.id));
    expect(await rig.settled(children(job).end)).toBe("JOB_NOT_FOUND");
  });
});

describe("a connection that is cut at every frame", () => {
  /** Frames of the scenario below, over all connections, when nothing is cut. */
  const FRAMES = 10;

  it.each(upTo(FRAMES))("loses and repeats nothing of a tree: at frame %i", async (cutAt) => {
    const rig = await open();
    let sent = 0;
    rig.runtime.beforeSend = () => ++sent !== cutAt;
    const submitting = rig.session.submit("echo", null);
    await rig.wait();
    const job = await rig.settled(submitting);
    const read = children(job);
    const id = rig.runtime.delegate(job.id);
    rig.runtime.emit(id, "log", { level: "info", message: "one" });
    await rig.wait();
    const grandchild = rig.runtime.delegate(id);
    rig.runtime.emit(id, "log", { level: "info", message: "two" });
    rig.runtime.succeed(grandchild, { result: "deep" });
    rig.runtime.succeed(id, { result: "child" });
    rig.runtime.succeed(job.id);
    await rig.wait();
    expect(await read.end).toBe("end");
    expect(idsOf(read.jobs)).toEqual([id]);
    const [child] = read.jobs;
    const events = collect(child as Job);
    expect(await rig.settled(events.end)).toBe("end");
    expect(events.events.map(({ kind }) => kind)).toEqual(["log", "delegate", "log"]);
    expect(await child?.result()).toBe("child");
    expect(await child?.children[0]?.result()).toBe("deep");
    expect(child?.children.map(({ id: found }) => found)).toEqual([grandchild]);
  });
});
