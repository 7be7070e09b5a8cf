/** Sessions whose client has not acknowledged everything outlive their window, up to limits (§6.5). */
import { describe, expect, it } from "vitest";
import { createMemoryStore, type MemoryStore } from "../stores/memory/memory-store.ts";
import { createFaultyStore } from "../testing/faulty-store.ts";
import type { SessionLimits } from "./limits.ts";
import { ALL_FEATURES, isSequenced, refusals, type TestClient, type Welcome } from "./test-client.ts";
import { startTestRuntime, type TestRuntime } from "./test-runtime.ts";
import { streamProblems } from "./test-stream-laws.ts";

const WINDOW_MS = 60_000;
const LONG_MS = 100 * WINDOW_MS;
const WITHOUT_ACK = ALL_FEATURES.filter((feature) => feature !== "ack");

let store: MemoryStore;
let runtime: TestRuntime;

async function begin(limits: Partial<SessionLimits> = {}): Promise<void> {
  store = createMemoryStore();
  runtime = await startTestRuntime({ store, limits, resumeWindowSec: WINDOW_MS / 1000 });
}

/** A session with `n` entries and a terminal in its stream, whose connection drops. */
async function parked(n: number, { features = ALL_FEATURES, acked = 0, token = "ann" } = {}): Promise<Welcome> {
  const client = runtime.connect();
  const welcome = await client.open({ features, token });
  await client.submit("flood", { n, every: 10 });
  await client.settled();
  if (acked > 0) client.send("session.ack", { last_processed_seq: acked });
  await client.settled();
  await client.drop();
  return welcome;
}

async function resumed(
  welcome: Welcome,
  last = 0,
  on = runtime,
): Promise<{ client: TestClient; codes: string[]; events: number }> {
  const client = on.connect();
  client.resume({ ...welcome.payload, last_event_seq: last });
  const received = await client.settled();
  expect(streamProblems(received.filter(isSequenced), { after: last })).toEqual([]);
  return { client, codes: refusals(received).map(([code]) => code), events: received.filter(isSequenced).length };
}

const isStored = async ({ payload }: Welcome): Promise<boolean> =>
  (await store.readSession(payload.session_id)) !== undefined;

/** What an operator is told of sessions that had to go. */
const evicted = (): unknown[] =>
  runtime.warnings.map(({ fields }) =>
    "limit" in fields && "session" in fields ? [fields.session, fields.limit] : [],
  );

describe("after its window a session", () => {
  it("is kept for events that were not acknowledged, and gives them whenever it is resumed [arcp-6.5-keep-unacknowledged]", async () => {
    await begin();
    const welcome = await parked(30);
    await runtime.world.advance(LONG_MS);
    expect(runtime.world.pendingTimers).toBeLessThan(10);
    expect(await resumed(welcome)).toMatchObject({ codes: [], events: 31 });
  });

  it("is over when everything was acknowledged [reading-kept-sessions]", async () => {
    await begin();
    const welcome = await parked(30, { acked: 31 });
    await runtime.world.advance(WINDOW_MS - 1);
    expect(await isStored(welcome)).toBe(true);
    await runtime.world.advance(1);
    expect(await isStored(welcome)).toBe(false);
    expect((await resumed(welcome, 31)).codes).toEqual(["RESUME_WINDOW_EXPIRED"]);
  });

  it("is over when it could not acknowledge: without the feature the window alone decides [reading-kept-sessions]", async () => {
    await begin();
    const welcome = await parked(30, { features: WITHOUT_ACK });
    await runtime.world.advance(WINDOW_MS);
    expect((await resumed(welcome)).codes).toEqual(["RESUME_WINDOW_EXPIRED"]);
  });

  it("is over when its client has closed it, whatever was acknowledged [reading-kept-sessions]", async () => {
    await begin();
    const client = runtime.connect();
    const welcome = await client.open();
    await client.submit("flood", { n: 30 });
    client.send("session.close");
    await client.settled();
    await runtime.world.advance(WINDOW_MS);
    expect(await isStored(welcome)).toBe(false);
  });

  it("is kept when its client came back after closing it", async () => {
    await begin();
    const client = runtime.connect();
    const welcome = await client.open();
    await client.submit("flood", { n: 30 });
    client.send("session.close");
    await client.settled();
    await (await resumed(welcome)).client.drop();
    await runtime.world.advance(LONG_MS);
    expect((await resumed(welcome)).events).toBe(31);
  });

  it("is kept for what its jobs have yet to emit", async () => {
    await begin();
    const client = runtime.connect();
    const welcome = await client.open();
    const { job_id } = (await client.submit("puppet")).payload;
    await client.drop();
    await runtime.world.advance(LONG_MS);
    await runtime.puppet(job_id).ctx.log("after the window");
    runtime.puppet(job_id).finish();
    await runtime.world.advance(LONG_MS);
    expect((await resumed(welcome)).events).toBe(2);
  });

  it("has freed what was acknowledged, and says so", async () => {
    await begin();
    const welcome = await parked(30, { acked: 10 });
    await runtime.world.advance(WINDOW_MS);
    expect((await resumed(welcome, 5)).codes).toEqual(["RESUME_WINDOW_EXPIRED"]);
    expect((await resumed(welcome, 10)).events).toBe(21);
  });

  it("is given the job that it submitted, however long the store took for it", async () => {
    store = createMemoryStore();
    const slow = createFaultyStore(store);
    runtime = await startTestRuntime({ store: slow, resumeWindowSec: WINDOW_MS / 1000 });
    const client = runtime.connect();
    const welcome = await client.open();
    await client.submit("flood", { n: 5 });
    slow.hold();
    const other = runtime.connect();
    other.hello({ token: "bob" });
    await other.settled();
    // Waits for the commit that is under way: nothing of it has been asked of the store yet.
    client.send("job.submit", { agent: "echo", input: 1 });
    await client.settled();
    await client.drop();
    await runtime.world.advance(2 * WINDOW_MS);
    slow.release();
    await runtime.world.advance(2 * WINDOW_MS);
    expect((await resumed(welcome)).events).toBe(6 + 2);
  });

  it("has the places that a commit was giving it all the while, when it is taken up before that is done", async () => {
    store = createMemoryStore();
    const slow = createFaultyStore(store);
    runtime = await startTestRuntime({ store: slow, resumeWindowSec: WINDOW_MS / 1000 });
    const client = runtime.connect();
    const welcome = await client.open();
    const { job_id } = (await client.submit("puppet")).payload;
    await client.settled();
    slow.hold();
    await runtime.puppet(job_id).ctx.log("a commit that takes long");
    await runtime.world.settle();
    await client.drop();
    await runtime.world.advance(2 * WINDOW_MS);
    const back = runtime.connect();
    back.resume({ ...welcome.payload, last_event_seq: 0 });
    await back.settled();
    slow.release();
    const { payload } = (await back.settled()).find(({ type }) => type === "session.welcome") as Welcome;
    await back.drop();
    const again = await resumed({ ...welcome, payload: { ...welcome.payload, ...payload } }, 1);
    expect(again.codes).toEqual([]);
  });

  it("may cancel its jobs still, once it is resumed", async () => {
    await begin();
    const client = runtime.connect();
    const welcome = await client.open();
    const { job_id } = (await client.submit("puppet")).payload;
    await client.drop();
    await runtime.world.advance(LONG_MS);
    const back = (await resumed(welcome)).client;
    back.send("job.cancel", { job_id });
    expect((await back.settled()).map(({ type }) => type)).toEqual(["job.cancelled", "job.error"]);
  });
});

describe("a restart", () => {
  it("gives every session a window, and then keeps those that owe events [reading-resume-window]", async () => {
    await begin();
    const [owing, done] = [await parked(30), await parked(30, { features: WITHOUT_ACK })];
    await runtime.world.advance(LONG_MS / 200);
    await runtime.close();
    store = createMemoryStore(store.snapshot());
    const next = await runtime.restartOn(store);
    await next.world.advance(WINDOW_MS - 1);
    expect([await isStored(owing), await isStored(done)]).toEqual([true, true]);
    await next.world.advance(LONG_MS);
    expect([await isStored(owing), await isStored(done)]).toEqual([true, false]);
    expect((await resumed(owing, 0, next)).events).toBe(31);
  });

  it("whose store fails as the windows close tries again, and ends all that are over", async () => {
    await begin();
    const [owing, done] = [await parked(30), await parked(30, { features: WITHOUT_ACK })];
    await runtime.close();
    store = createMemoryStore(store.snapshot());
    const next = await runtime.restartOn(store);
    const { readSession } = store;
    const failing = store as { readSession: typeof readSession };
    failing.readSession = () => Promise.reject(new Error("no disk"));
    await next.world.advance(WINDOW_MS + 500);
    failing.readSession = readSession;
    expect(next.errors.splice(0)).toHaveLength(1);
    await next.world.advance(1_000);
    expect([await isStored(owing), await isStored(done)]).toEqual([true, false]);
  });

  it("after downtime longer than the window loses nobody", async () => {
    await begin();
    const [owing, done] = [await parked(30), await parked(30, { features: WITHOUT_ACK })];
    await runtime.close();
    await runtime.world.advance(LONG_MS);
    store = createMemoryStore(store.snapshot());
    const next = await runtime.restartOn(store);
    for (const welcome of [owing, done])
      expect(await resumed(welcome, 3, next)).toMatchObject({ codes: [], events: 28 });
  });
});

describe("the limits", () => {
  it("of one session: it is over when it keeps more, with a line in the log; its jobs are not [reading-kept-sessions]", async () => {
    await begin({ maxParkedBytes: 2_000 });
    const [small, large] = [await parked(3), await parked(300)];
    await runtime.world.advance(WINDOW_MS);
    expect(evicted()).toEqual([[large.payload.session_id, "maxParkedBytes"]]);
    expect((await resumed(large)).codes).toEqual(["RESUME_WINDOW_EXPIRED"]);
    expect((await resumed(small)).events).toBe(4);
    const { jobs } = await store.listJobs({ principals: ["tests/ann"], limit: 9 });
    expect(jobs).toHaveLength(2);
  });

  it("of a principal: its oldest go first, and nobody else's [reading-kept-sessions]", async () => {
    await begin({ maxParkedBytesPerPrincipal: 12_000 });
    const other = await parked(60, { token: "bob" });
    const sessions: Welcome[] = [];
    for (let count = 0; count < 3; count++) {
      sessions.push(await parked(40));
      await runtime.world.advance(1_000);
    }
    await runtime.world.advance(WINDOW_MS);
    expect(await Promise.all(sessions.map(isStored))).toEqual([false, true, true]);
    expect(evicted()).toEqual([[sessions[0]?.payload.session_id, "maxParkedBytesPerPrincipal"]]);
    expect(await isStored(other)).toBe(true);
  });

  it("do not touch a session in its window, or connected, however much it keeps", async () => {
    await begin({ maxParkedBytes: 0, maxParkedBytesPerPrincipal: 0 });
    const welcome = await parked(100);
    await runtime.world.advance(WINDOW_MS - 1);
    const { events, client } = await resumed(welcome);
    expect(events).toBe(101);
    client.send("session.ping", { nonce: "n" });
    await runtime.world.advance(20_000);
    expect(await isStored(welcome)).toBe(true);
  });

  it("hold for what a job emits after the window", async () => {
    await begin({ maxParkedBytes: 2_000 });
    const client = runtime.connect();
    const welcome = await client.open();
    const { job_id } = (await client.submit("puppet")).payload;
    await client.drop();
    await runtime.world.advance(2 * WINDOW_MS);
    expect(await isStored(welcome)).toBe(true);
    for (let line = 0; line < 100; line++) await runtime.puppet(job_id).ctx.log(`line ${line}`);
    await runtime.world.advance(2 * WINDOW_MS);
    expect(await isStored(welcome)).toBe(false);
    expect(evicted()).toEqual([[welcome.payload.session_id, "maxParkedBytes"]]);
    expect(runtime.puppet(job_id).ctx.signal.aborted).toBe(false);
  });

  it("of sessions: a new one takes the place of the oldest that is only kept", async () => {
    await begin({ maxSessionsPerPrincipal: 2 });
    const [one, two] = [await parked(3), await parked(3)];
    const refused = runtime.connect();
    refused.hello();
    expect(refusals(await refused.settled())).toEqual([["INTERNAL_ERROR", "request-1"]]);
    await runtime.world.advance(WINDOW_MS);
    await runtime.connect().open();
    expect([await isStored(one), await isStored(two)]).toEqual([false, true]);
    expect(evicted()).toEqual([[one.payload.session_id, "maxSessionsPerPrincipal"]]);
  });
});

describe("a resume in the very moment", () => {
  it("in which the window closes finds the session, kept or not", async () => {
    await begin();
    const welcome = await parked(30);
    await runtime.world.advance(WINDOW_MS - 1);
    const { measureSession } = store;
    const gate = Promise.withResolvers<void>();
    (store as { measureSession: typeof measureSession }).measureSession = (id) =>
      gate.promise.then(() => measureSession(id));
    await runtime.world.advance(1);
    const { client, events } = await resumed(welcome);
    expect(events).toBe(31);
    gate.resolve();
    await runtime.world.advance(10_000);
    const job = await client.submit("echo");
    expect(job.type).toBe("job.accepted");
  });

  it("in which the session has to go is answered that it is over", async () => {
    await begin({ maxSessionsPerPrincipal: 1 });
    const welcome = await parked(30);
    await runtime.world.advance(WINDOW_MS);
    const { readSession } = store;
    const gate = Promise.withResolvers<void>();
    (store as { readSession: typeof readSession }).readSession = async (id) => {
      const stored = await readSession(id);
      await gate.promise;
      return stored;
    };
    const late = runtime.connect();
    late.resume({ ...welcome.payload, last_event_seq: 0 });
    await runtime.world.settle();
    await runtime.connect().open();
    gate.resolve();
    expect(refusals(await late.settled())).toEqual([["RESUME_WINDOW_EXPIRED", "request-1"]]);
    expect(await readSession(welcome.payload.session_id)).toBeUndefined();
  });

  it("in which what it keeps cannot be read leaves the session a window more", async () => {
    await begin();
    const welcome = await parked(30);
    const { measureSession } = store;
    const failing = store as { measureSession: typeof measureSession };
    failing.measureSession = () => Promise.reject(new Error("no disk"));
    await runtime.world.advance(WINDOW_MS);
    failing.measureSession = measureSession;
    expect(runtime.errors.splice(0)).toHaveLength(1);
    await runtime.world.advance(LONG_MS);
    expect((await resumed(welcome)).events).toBe(31);
  });
});
