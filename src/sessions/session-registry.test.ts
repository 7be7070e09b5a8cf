import { beforeEach, describe, expect, it } from "vitest";
import type { Rows, Store } from "../kernel/ports.ts";
import { createMemoryStore, type MemoryStore } from "../stores/memory/memory-store.ts";
import { createFaultyStore, type FaultyStore } from "../testing/faulty-store.ts";
import { isSequenced, refusals, type TestClient, type Welcome } from "./test-client.ts";
import { startTestRuntime, type TestRuntime } from "./test-runtime.ts";
import { streamProblems } from "./test-stream-laws.ts";

const WINDOW_MS = 600_000;

let inner: MemoryStore;
let store: FaultyStore;
let runtime: TestRuntime;
let client: TestClient;
let welcome: Welcome;

beforeEach(async () => {
  inner = createMemoryStore();
  store = createFaultyStore(inner);
  runtime = await startTestRuntime({ store });
  client = runtime.connect();
  welcome = await client.open({ features: ["subscribe"] });
});

async function resumed(on = runtime, last = 0) {
  const next = on.connect();
  next.resume({ ...welcome.payload, last_event_seq: last });
  return next.settled();
}

const types = (received: Awaited<ReturnType<typeof resumed>>): string[] => received.map(({ type }) => type);

describe("the resume window [reading-resume-window]", () => {
  it("runs from the drop of the connection, however long that lived", async () => {
    await client.after(10 * WINDOW_MS);
    await client.drop();
    await runtime.world.advance(WINDOW_MS - 1);
    expect(types(await resumed())).toEqual(["session.welcome"]);
  });

  it("ends the session when it closes, and frees its rows", async () => {
    await client.submit("echo");
    await client.drop();
    await runtime.world.advance(WINDOW_MS);
    expect(refusals(await resumed())).toEqual([["RESUME_WINDOW_EXPIRED", "request-1"]]);
    expect(await inner.readSession(welcome.payload.session_id)).toBeUndefined();
    expect(await inner.readSegments(welcome.payload.session_id, 0, 9)).toEqual([]);
  });

  it("frees what a session that never acknowledged anything has piled up step by step", async () => {
    const commits: Rows[] = [];
    const { commit } = store;
    store.commit = (batch) => {
      commits.push(batch.rows as Rows);
      return commit(batch);
    };
    const { session_id: session } = welcome.payload;
    const job = (await client.submit("puppet")).payload.job_id;
    for (let line = 0; line < 5_000; line++) {
      void runtime.puppet(job).ctx.log("one commit each");
      await runtime.world.settle();
    }
    await client.drop();
    const before = (await inner.readSegments(session, 0, 10_000)).length;
    expect(before).toBeGreaterThan(4_096);
    await runtime.world.advance(WINDOW_MS);
    const steps = commits.flatMap(({ releases = [] }) => releases.map(({ upTo }) => upTo));
    expect(steps.map((upTo, step) => upTo - (steps[step - 1] ?? 0))).toEqual([2_048, 2_048]);
    expect(commits.flatMap(({ endedSessions = [] }) => endedSessions)).toEqual([session]);
    expect(await inner.readSegments(session, 0, 9)).toEqual([]);
  });

  it("does not end the session's jobs", async () => {
    const job = (await client.submit("puppet")).payload.job_id;
    await client.drop();
    await runtime.world.advance(WINDOW_MS);
    runtime.puppet(job).finish("done");
    await runtime.world.settle();
    expect(await inner.readJob(job)).toMatchObject({ status: "success" });
  });

  it("runs anew after each drop", async () => {
    await client.drop();
    await runtime.world.advance(WINDOW_MS - 1);
    const second = runtime.connect();
    second.resume({ ...welcome.payload, last_event_seq: 0 });
    await runtime.world.settle();
    await second.drop();
    await runtime.world.advance(WINDOW_MS - 1);
    expect(types(await resumed())).toEqual(["session.welcome"]);
  });

  it("runs anew when the runtime starts", async () => {
    await client.drop();
    await runtime.world.advance(WINDOW_MS - 1);
    await runtime.close();
    const next = await runtime.restartOn(createMemoryStore(inner.snapshot()));
    await next.world.advance(WINDOW_MS - 1);
    expect(types(await resumed(next))).toEqual(["session.welcome"]);
  });

  it("closes for sessions of an earlier run that nobody took up", async () => {
    await runtime.world.advance(1);
    await runtime.close();
    const again = createMemoryStore(inner.snapshot());
    const next = await runtime.restartOn(again);
    await next.world.advance(WINDOW_MS);
    expect(await again.readSession(welcome.payload.session_id)).toBeUndefined();
    expect(refusals(await resumed(next))).toEqual([["RESUME_WINDOW_EXPIRED", "request-1"]]);
  });

  it("leaves alone a session that was taken up again", async () => {
    await runtime.world.advance(1);
    await runtime.close();
    const next = await runtime.restartOn(createMemoryStore(inner.snapshot()));
    const back = next.connect();
    back.resume({ ...welcome.payload, last_event_seq: 0 });
    await next.world.advance(2 * WINDOW_MS);
    await back.submit("echo");
    expect(back.line.closed).toBeUndefined();
  });
});

describe("a resume in the moment the window closes", () => {
  it("keeps the session when it came first", async () => {
    await client.submit("echo");
    await client.drop();
    await runtime.world.advance(WINDOW_MS - 1);
    store.hold();
    const next = runtime.connect();
    next.resume({ ...welcome.payload, last_event_seq: 0 });
    await runtime.world.advance(10);
    store.release();
    const events = (await next.settled()).filter(isSequenced);
    expect(streamProblems(events)).toEqual([]);
    expect(events).toHaveLength(2);
    await next.submit("echo");
    expect(next.texts).toHaveLength(3 + 3);
    expect(await inner.readSession(welcome.payload.session_id)).toMatchObject({ head: 4 });
  });

  it("finds the session gone when it came later", async () => {
    await client.submit("echo");
    await client.drop();
    await runtime.world.advance(WINDOW_MS - 1);
    store.hold();
    await runtime.world.advance(1);
    const next = runtime.connect();
    next.resume({ ...welcome.payload, last_event_seq: 0 });
    await runtime.world.settle();
    store.release();
    expect(refusals(await next.settled())).toEqual([["RESUME_WINDOW_EXPIRED", "request-1"]]);
    expect(await inner.readSession(welcome.payload.session_id)).toBeUndefined();
  });

  it("finds a session of an earlier run gone when it came later", async () => {
    await runtime.world.advance(1);
    await runtime.close();
    const again = createMemoryStore(inner.snapshot());
    const held = createFaultyStore(again);
    const next = await runtime.restartOn(held);
    await next.world.advance(WINDOW_MS - 1);
    held.hold();
    await next.world.advance(1);
    const back = next.connect();
    back.resume({ ...welcome.payload, last_event_seq: 0 });
    await next.world.settle();
    held.release();
    expect(refusals(await back.settled())).toEqual([["RESUME_WINDOW_EXPIRED", "request-1"]]);
    expect(await again.readSession(welcome.payload.session_id)).toBeUndefined();
  });

  it("that fails leaves the session to its window", async () => {
    await client.drop();
    await runtime.world.advance(WINDOW_MS - 1);
    store.failNext();
    expect(refusals(await resumed())).toEqual([["INTERNAL_ERROR", "request-1"]]);
    runtime.errors.length = 0;
    await runtime.world.advance(WINDOW_MS);
    expect(await inner.readSession(welcome.payload.session_id)).toBeUndefined();
  });
});

describe("a session that is over", () => {
  it("is never followed into: a subscription that took too long harms nobody's commit", async () => {
    const gate = Promise.withResolvers<void>();
    const slow: Store = { ...store, readHeads: (...jobs) => gate.promise.then(() => store.readHeads(...jobs)) };
    const behind = await startTestRuntime({ store: slow });
    const [submitter, other] = [behind.connect(), behind.connect()];
    await submitter.open({ features: [] });
    const { session_id } = (await other.open()).payload;
    const job = (await submitter.submit("puppet")).payload.job_id;
    other.send("job.subscribe", { job_id: job });
    await behind.world.settle();
    await other.drop();
    await behind.world.advance(WINDOW_MS);
    expect(await inner.readSession(session_id)).toBeUndefined();
    await behind.puppet(job).ctx.log("in the same commit");
    gate.resolve();
    await behind.world.settle();
    expect(behind.puppet(job).ctx.signal.aborted).toBe(false);
  });
});

describe("a failed commit of a hello", () => {
  it("is answered with a retryable error, and leaves nothing behind", async () => {
    const next = runtime.connect();
    store.failNext();
    const request = next.hello();
    expect(refusals(await next.settled())).toEqual([["INTERNAL_ERROR", request]]);
    expect(next.line.closed).toBeDefined();
    runtime.errors.length = 0;
  });
});
