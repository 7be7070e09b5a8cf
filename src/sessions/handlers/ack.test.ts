import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Store } from "../../kernel/ports.ts";
import { CLOSE } from "../../protocol/framing.ts";
import { createMemoryStore, type MemoryStore } from "../../stores/memory/memory-store.ts";
import { createFaultyStore } from "../../testing/faulty-store.ts";
import { isSequenced, type TestClient, type Welcome } from "../test-client.ts";
import { startTestRuntime, type TestRuntime } from "../test-runtime.ts";
import { streamProblems } from "../test-stream-laws.ts";

let store: MemoryStore;
let runtime: TestRuntime;
let client: TestClient;
let welcome: Welcome;

beforeEach(async () => {
  store = createMemoryStore();
  runtime = await startTestRuntime({ store });
  client = runtime.connect();
  welcome = await client.open();
  await client.submit("flood", { n: 3_000, every: 100 });
});

const released = async (): Promise<number | undefined> =>
  (await store.readSession(welcome.payload.session_id))?.released;

describe("session.ack", () => {
  it("is not answered and takes no place in the stream [arcp-6.5-outside-event-seq]", async () => {
    client.send("session.ack", { last_processed_seq: 3_000 });
    expect(await client.settled()).toEqual([]);
    await client.submit("echo");
    expect(await store.readSession(welcome.payload.session_id)).toMatchObject({ head: 3_003 });
  });

  it("frees the places it names, and none after [arcp-6.5-freed-early]", async () => {
    client.send("session.ack", { last_processed_seq: 2_050 });
    await client.settled();
    expect(await released()).toBeGreaterThan(1_900);
    expect(await released()).toBeLessThanOrEqual(2_050);
    const [first] = await store.readSegments(welcome.payload.session_id, 0, 1);
    expect(first?.firstEventSeq).toBe(((await released()) ?? 0) + 1);
  });

  it("frees many places step by step, so that no commit grows long", async () => {
    const commit = vi.spyOn(store, "commit");
    client.send("session.ack", { last_processed_seq: 3_000 });
    await client.settled();
    const steps = commit.mock.calls.flatMap(([{ rows }]) => rows.releases ?? []).map(({ upTo }) => upTo);
    expect(steps).toEqual([2_048, 3_000]);
  });

  it("frees nothing for a few places: each freeing is a write", async () => {
    client.send("session.ack", { last_processed_seq: 1_000 });
    await client.settled();
    expect(await released()).toBe(0);
  });

  it("beyond what was sent frees no more than what was sent", async () => {
    const job = (await client.submit("puppet")).payload.job_id;
    await client.drop();
    const back = runtime.connect();
    back.line.stall();
    back.resume({ ...welcome.payload, last_event_seq: 3_001 });
    back.send("session.ack", { last_processed_seq: Number.MAX_SAFE_INTEGER });
    await runtime.puppet(job).ctx.log("later");
    await runtime.world.settle();
    await back.drop();
    const again = runtime.connect();
    again.resume({ ...welcome.payload, last_event_seq: 3_001 });
    const events = (await again.settled()).filter(isSequenced);
    expect(streamProblems(events, { after: 3_001 })).toEqual([]);
    expect(events).toHaveLength(1);
  });

  it("that goes backwards changes nothing", async () => {
    client.send("session.ack", { last_processed_seq: 2_500 });
    client.send("session.ack", { last_processed_seq: 10 });
    await client.settled();
    await client.drop();
    const back = runtime.connect();
    back.resume({ ...welcome.payload, last_event_seq: 2_500 });
    const events = (await back.settled()).filter(isSequenced);
    expect(streamProblems(events, { after: 2_500 })).toEqual([]);
    expect(events).toHaveLength(501);
  });

  it("keeps the cursors of what it frees: after a restart nothing comes twice", async () => {
    const job = (await client.submit("puppet")).payload.job_id;
    for (let line = 0; line < 5; line++) await runtime.puppet(job).ctx.log(`line ${line}`);
    await client.settled();
    client.send("session.ack", { last_processed_seq: 3_006 });
    await client.settled();
    expect(await released()).toBe(3_006);
    await runtime.close();
    const next = await runtime.restartOn(createMemoryStore(store.snapshot()));
    const back = next.connect();
    back.resume({ ...welcome.payload, last_event_seq: 3_006 });
    const events = (await back.settled()).filter(isSequenced);
    expect(events).toMatchObject([{ type: "job.error", event_seq: 3_007, payload: { job_seq: 6 } }]);
  });

  it("of an older connection, in the middle of a resume from before it, ends that connection: never a gap", async () => {
    const gate = Promise.withResolvers<void>();
    const faulty = createFaultyStore(createMemoryStore());
    const slow: Store = {
      ...faulty,
      readSegments: (...query) => gate.promise.then(() => faulty.readSegments(...query)),
    };
    const held = await startTestRuntime({ store: slow });
    const older = held.connect();
    const { payload } = await older.open();
    await older.submit("flood", { n: 3_000, every: 100 });
    const newer = held.connect();
    faulty.hold();
    newer.resume({ ...payload, last_event_seq: 10 });
    await held.world.settle();
    older.send("session.ack", { last_processed_seq: 2_500 });
    await held.world.settle();
    faulty.release();
    expect((await newer.settled()).map(({ type }) => type)).toEqual(["session.welcome"]);
    gate.resolve();
    expect(await newer.settled()).toEqual([]);
    expect(newer.line.closed?.code).toBe(CLOSE.internalError);
  });
});
