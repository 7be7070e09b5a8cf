import { beforeEach, describe, expect, it } from "vitest";
import { createMemoryStore, type MemoryStore } from "../../stores/memory/memory-store.ts";
import { createFaultyStore, type FaultyStore } from "../../testing/faulty-store.ts";
import { ALL_FEATURES, isOnLog, isSequenced, type Sequenced, type TestClient, theOne } from "../test-client.ts";
import { startTestRuntime, type TestRuntime } from "../test-runtime.ts";
import { streamProblems } from "../test-stream-laws.ts";

let inner: MemoryStore;
let store: FaultyStore;
let runtime: TestRuntime;

beforeEach(async () => {
  inner = createMemoryStore();
  store = createFaultyStore(inner);
  runtime = await startTestRuntime({ store });
});

async function opened(features: readonly string[] = ALL_FEATURES, overloadBytes?: number) {
  const client = runtime.connect(overloadBytes === undefined ? {} : { overloadBytes });
  return { client, welcome: await client.open({ features }) };
}

async function eventsAt(client: TestClient): Promise<Sequenced[]> {
  return (await client.settled()).filter(isSequenced);
}

describe("one session with many jobs", () => {
  it("has one sequence without gaps over all of them [arcp-8.3-monotonic-gap-free] [law-no-gap-or-repeat]", async () => {
    const { client } = await opened();
    for (let job = 0; job < 20; job++) client.send("job.submit", { agent: "flood", input: { n: 30, every: 7 } });
    const events = await eventsAt(client);
    expect(events).toHaveLength(20 * 31);
    expect(streamProblems(events)).toEqual([]);
  });

  it("sees every event with its session, its job, and its place in the job's log [arcp-8.1-event-envelope] [reading-job-seq]", async () => {
    const { client, welcome } = await opened();
    const job = (await client.submit("puppet")).payload.job_id;
    await runtime.puppet(job).ctx.thought("hm");
    expect(await eventsAt(client)).toMatchObject([
      {
        type: "job.event",
        session_id: welcome.payload.session_id,
        job_id: job,
        event_seq: 1,
        id: expect.stringMatching(/^msg_[0-9A-HJKMNP-TV-Z]{26}$/),
        payload: { kind: "thought", ts: "2026-01-01T00:00:00.000Z", job_seq: 1, body: { text: "hm" } },
      },
    ]);
  });

  it("sees ids that no other event has", async () => {
    const { client } = await opened();
    for (let job = 0; job < 5; job++) client.send("job.submit", { agent: "flood", input: { n: 300 } });
    const ids = (await eventsAt(client)).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe("kinds outside a session's features [reading-feature-events-hidden]", () => {
  it("take no place in its stream, live [arcp-6.2-feature-outside-unused]", async () => {
    const { client } = await opened([]);
    client.send("job.submit", { agent: "flood", input: { n: 90, every: 4 } });
    client.send("job.submit", { agent: "streamer" });
    const events = await eventsAt(client);
    expect(streamProblems(events, { hides: true })).toEqual([]);
    expect(events).toHaveLength(60 + 1 + 1);
    const kinds = new Set(events.map(({ payload }) => ("kind" in payload ? payload.kind : "terminal")));
    expect([...kinds].sort()).toEqual(["log", "metric", "terminal"]);
  });

  it("take none on a replay either, which gives the same bytes", async () => {
    const { client, welcome } = await opened(["result_chunk"]);
    client.send("job.submit", { agent: "flood", input: { n: 90, every: 4 } });
    client.send("job.submit", { agent: "streamer" });
    await client.settled();
    await client.drop();
    const back = runtime.connect();
    back.resume({ ...welcome.payload, last_event_seq: 0 });
    await back.settled();
    const sequenced = (texts: readonly string[]) => texts.filter((text) => text.includes('"event_seq"'));
    expect(sequenced(back.texts)).toEqual(sequenced(client.texts));
  });

  it("do not stop a stream that has only them for a while", async () => {
    const { client, welcome } = await opened([]);
    const job = (await client.submit("puppet")).payload.job_id;
    const { ctx, finish } = runtime.puppet(job);
    for (let current = 0; current < 10; current++) await ctx.progress({ current });
    expect(await eventsAt(client)).toEqual([]);
    await client.drop();
    for (let current = 10; current < 20; current++) await ctx.progress({ current });
    const back = runtime.connect();
    back.resume({ ...welcome.payload, last_event_seq: 0 });
    await back.settled();
    await ctx.progress({ current: 20 });
    finish();
    expect(await eventsAt(back)).toMatchObject([{ type: "job.result", event_seq: 1, payload: { job_seq: 22 } }]);
  });

  it("are seen by another session of the same job that has them", async () => {
    const { client } = await opened([]);
    const { client: watcher } = await opened();
    const job = (await client.submit("puppet")).payload.job_id;
    watcher.send("job.subscribe", { job_id: job, history: true });
    await watcher.settled();
    await runtime.puppet(job).ctx.progress({ current: 1 });
    await runtime.puppet(job).ctx.log("both");
    expect((await eventsAt(watcher)).map(({ event_seq }) => event_seq)).toEqual([1, 2]);
    expect((await eventsAt(client)).map(({ event_seq }) => event_seq)).toEqual([1]);
  });
});

describe("a client that does not read", () => {
  const OVERLOAD_BYTES = 20_000;

  it("slows neither its job nor another session, and costs no memory beyond the mark", async () => {
    const { client } = await opened(ALL_FEATURES, OVERLOAD_BYTES);
    const { client: other } = await opened();
    client.line.stall();
    client.send("job.submit", { agent: "flood", input: { n: 5_000, every: 50 } });
    other.send("job.submit", { agent: "flood", input: { n: 1_000, every: 50 } });
    expect(await eventsAt(other)).toHaveLength(1_001);
    const { jobs } = await inner.listJobs({ principals: ["tests/ann"], limit: 9 });
    expect(jobs.map(({ status }) => status)).toEqual(["success", "success"]);
    // One page of catching up, at most, goes beyond it.
    expect(client.line.inFlight).toBeLessThan(5_000);
  });

  it("gets everything once and in order when it reads again", async () => {
    const { client } = await opened(ALL_FEATURES, OVERLOAD_BYTES);
    client.line.stall();
    client.send("job.submit", { agent: "flood", input: { n: 5_000, every: 50 } });
    await runtime.world.settle();
    client.line.resume();
    const events = await eventsAt(client);
    expect(streamProblems(events)).toEqual([]);
    expect(events.filter(isOnLog)).toHaveLength(5_001);
  });

  it("is live again after it has read, stall after stall", async () => {
    const { client } = await opened(ALL_FEATURES, OVERLOAD_BYTES);
    const job = (await client.submit("puppet")).payload.job_id;
    const { ctx, finish } = runtime.puppet(job);
    const events: Sequenced[] = [];
    for (let round = 0; round < 6; round++) {
      client.line.stall();
      for (let line = 0; line < 300; line++) await ctx.log(`round ${round} line ${line}`);
      await runtime.world.settle();
      client.line.resume();
      await ctx.log("while it drains");
      events.push(...(await eventsAt(client)));
      await ctx.log("live");
      events.push(...(await eventsAt(client)));
      expect(events).toHaveLength((round + 1) * 302);
    }
    finish();
    events.push(...(await eventsAt(client)));
    expect(streamProblems(events)).toEqual([]);
    expect(events.at(-1)?.type).toBe("job.result");
  });

  it("and is cut off finds the rest where it left", async () => {
    const { client, welcome } = await opened(ALL_FEATURES, OVERLOAD_BYTES);
    client.send("job.submit", { agent: "flood", input: { n: 200, every: 20 } });
    const before = await eventsAt(client);
    client.line.stall();
    client.send("job.submit", { agent: "flood", input: { n: 3_000, every: 20 } });
    await runtime.world.settle();
    await client.drop();
    const back = runtime.connect();
    back.resume({ ...welcome.payload, last_event_seq: before.length });
    const after = await eventsAt(back);
    expect(streamProblems([...before, ...after])).toEqual([]);
    expect(after.filter(isOnLog)).toHaveLength(3_001);
  });
});

describe("held commits [law-commit-then-publish]", () => {
  it("let not one frame of their events leave", async () => {
    const { client } = await opened();
    const job = (await client.submit("puppet")).payload.job_id;
    store.hold();
    for (let line = 0; line < 50; line++) await runtime.puppet(job).ctx.log(`line ${line}`);
    expect(await client.settled()).toEqual([]);
    client.send("session.ping", { nonce: "n" });
    expect((await client.settled()).map(({ type }) => type)).toEqual(["session.pong"]);
    store.release();
    expect(streamProblems(await eventsAt(client))).toEqual([]);
  });

  it("let nothing leave to a session that is catching up, either", async () => {
    const { client, welcome } = await opened();
    const job = (await client.submit("puppet")).payload.job_id;
    await client.drop();
    await runtime.puppet(job).ctx.log("missed");
    await runtime.world.settle();
    const back = runtime.connect();
    back.resume({ ...welcome.payload, last_event_seq: 0 });
    store.hold();
    expect(await back.settled()).toEqual([]);
    store.release();
    expect((await back.settled()).map(({ type }) => type)).toEqual(["session.welcome", "job.event"]);
  });

  it("are caught up on by whoever resumes before they are through", async () => {
    const { client, welcome } = await opened();
    const job = (await client.submit("puppet")).payload.job_id;
    store.hold();
    await runtime.puppet(job).ctx.log("on its way");
    await runtime.world.settle();
    await client.drop();
    const back = runtime.connect();
    back.resume({ ...welcome.payload, last_event_seq: 0 });
    await runtime.world.settle();
    await runtime.puppet(job).ctx.log("after");
    store.release();
    const events = await eventsAt(back);
    expect(streamProblems(events)).toEqual([]);
    expect(events).toHaveLength(2);
  });
});

describe("a failed commit", () => {
  it("shows nothing of it, and leaves the session's stream intact", async () => {
    const { client, welcome } = await opened();
    const lost = (await client.submit("puppet")).payload.job_id;
    await runtime.puppet(lost).ctx.log("kept");
    await client.settled();
    store.failNext();
    await runtime.puppet(lost).ctx.log("lost");
    expect(await client.settled()).toEqual([]);
    runtime.errors.length = 0;
    const other = (await client.submit("puppet")).payload.job_id;
    await runtime.puppet(other).ctx.log("other");
    await client.settled();
    await client.after(1_000);
    await client.drop();
    const back = runtime.connect();
    back.resume({ ...welcome.payload, last_event_seq: 0 });
    const events = await eventsAt(back);
    expect(streamProblems(events)).toEqual([]);
    expect(events.map(({ type, job_id }) => [type, job_id === lost])).toEqual([
      ["job.event", true],
      ["job.event", false],
      ["job.error", true],
    ]);
    expect(theOne(events, "job.error").payload).toMatchObject({ code: "INTERNAL_ERROR", retryable: true, job_seq: 2 });
  });

  it("of a page of catching up is tried again", async () => {
    const { client, welcome } = await opened();
    const job = (await client.submit("puppet")).payload.job_id;
    await client.drop();
    await runtime.puppet(job).ctx.log("missed");
    await runtime.world.settle();
    const back = runtime.connect();
    store.hold();
    back.resume({ ...welcome.payload, last_event_seq: 0 });
    await runtime.world.settle();
    store.release();
    store.hold();
    await runtime.world.settle();
    store.failNext();
    store.release();
    expect((await back.settled()).map(({ type }) => type)).toEqual(["session.welcome"]);
    expect(runtime.errors).toEqual([
      "a commit failed; what fed it is discarded",
      "a session cannot catch up; trying again",
    ]);
    runtime.errors.length = 0;
    expect((await back.after(1_000)).map(({ type }) => type)).toEqual(["job.event"]);
  });

  it("of a page whose connection drops leaves no timer behind", async () => {
    const { client, welcome } = await opened();
    const job = (await client.submit("puppet")).payload.job_id;
    await client.drop();
    await runtime.puppet(job).ctx.log("missed");
    await runtime.world.settle();
    const parked = runtime.world.pendingTimers;
    const back = runtime.connect();
    store.hold();
    back.resume({ ...welcome.payload, last_event_seq: 0 });
    await runtime.world.settle();
    store.release();
    store.hold();
    await runtime.world.settle();
    store.failNext();
    store.release();
    await runtime.world.settle();
    expect(runtime.errors).toHaveLength(2);
    runtime.errors.length = 0;
    await back.drop();
    expect(runtime.world.pendingTimers).toBe(parked);
  });
});
