import { beforeEach, describe, expect, it } from "vitest";
import { createMemoryStore, type MemoryStore } from "../../stores/memory/memory-store.ts";
import type { SessionLimits } from "../limits.ts";
import { isOnLog, type Sequenced } from "../test-client.ts";
import { startTestRuntime, type TestRuntime } from "../test-runtime.ts";
import { TestSession } from "../test-session.ts";
import { streamProblems } from "../test-stream-laws.ts";
import { TELL_EVERY_MS } from "./back-pressure.ts";

const OVERLOAD_BYTES = 4_000;

let store: MemoryStore;
let runtime: TestRuntime;
let session: TestSession;
let job: string;

async function begin(limits: Partial<SessionLimits> = {}, features?: readonly string[]): Promise<void> {
  store = createMemoryStore();
  runtime = await startTestRuntime({ store, limits });
  session = new TestSession(() => runtime, { overloadBytes: OVERLOAD_BYTES, ...(features && { features }) });
  await runtime.world.settle();
  session.client.send("job.submit", { agent: "puppet" });
  await runtime.world.settle();
  job = [...runtime.puppets.keys()].at(-1) as string;
}

async function log(lines: number): Promise<void> {
  for (let line = 0; line < lines; line++) {
    await runtime.puppet(job).ctx.log(`line ${line} of many that are to be read`);
    await runtime.world.settle();
  }
}

const told = (): Sequenced[] => session.events.filter((event) => !isOnLog(event));
const bodyOf = ({ payload }: Sequenced | undefined = {} as Sequenced): unknown =>
  "body" in payload ? payload.body : {};

describe("a client that does not read [reading-back-pressure]", () => {
  beforeEach(() => begin());

  it("is told so once it reads again, in its own stream, which stays whole", async () => {
    session.client.line.stall();
    await log(100);
    expect(told()).toEqual([]);
    session.client.line.resume();
    await runtime.world.settle();
    expect(told()).toMatchObject([{ type: "job.event", job_id: job, payload: { kind: "status" } }]);
    expect(bodyOf(told()[0])).toMatchObject({ phase: "back_pressure", reason: "unread", message: expect.any(String) });
    await log(3);
    expect(streamProblems(session.events)).toEqual([]);
    expect(session.events.filter(isOnLog)).toHaveLength(103);
  });

  it("is told at most every half minute", async () => {
    for (let round = 0; round < 5; round++) {
      session.client.line.stall();
      await log(100);
      session.client.line.resume();
      await runtime.world.settle();
    }
    expect(told()).toHaveLength(1);
    await runtime.world.advance(TELL_EVERY_MS);
    session.client.line.stall();
    await log(100);
    session.client.line.resume();
    await runtime.world.settle();
    expect(told()).toHaveLength(2);
    expect(streamProblems(session.events)).toEqual([]);
  });

  it("is told alone: neither the job's log nor another follower knows of it", async () => {
    const other = new TestSession(() => runtime);
    await runtime.world.settle();
    other.client.send("job.subscribe", { job_id: job, history: true });
    session.client.line.stall();
    await log(100);
    session.client.line.resume();
    await runtime.world.settle();
    expect(told()).toHaveLength(1);
    expect(other.events.map(({ payload }) => payload.job_seq)).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
    expect((await store.readHeads([job])).get(job)).toBe(100);
  });

  it("gets the same frame at the same place on a replay, also after a restart", async () => {
    session.client.line.stall();
    await log(60);
    session.client.line.resume();
    await log(3);
    const seen = [...session.stream];
    expect(told()).toHaveLength(1);
    const again = async (): Promise<void> => {
      session.stream.length = 0;
      session.point = { ...(session.point as NonNullable<typeof session.point>), last_event_seq: 0 };
      session.connect();
      await runtime.world.settle();
    };
    await again();
    expect(session.stream).toEqual(seen);
    await runtime.close();
    runtime = await runtime.restartOn(createMemoryStore(store.snapshot()));
    await again();
    expect(session.stream.slice(0, seen.length)).toEqual(seen);
    expect(streamProblems(session.events)).toEqual([]);
  });

  it("and asks for the job by its place in the stream is given what follows there", async () => {
    session.client.line.stall();
    await log(60);
    session.client.line.resume();
    runtime.puppet(job).finish();
    await runtime.world.settle();
    const last = session.events.length;
    session.client.send("job.submit", { agent: "echo" });
    await runtime.world.settle();
    expect(streamProblems(session.events)).toEqual([]);
    expect(session.events.length).toBe(last + 2);
  });
});

describe("a client that acknowledges late [reading-back-pressure] [arcp-6.5-slow-consumers]", () => {
  const ack = async (upTo: number): Promise<void> => {
    session.client.send("session.ack", { last_processed_seq: upTo });
    await runtime.world.settle();
  };

  it("is told at the limit, and again only after it has caught up to half of that", async () => {
    await begin({ maxUnacknowledgedEvents: 20 });
    await log(20);
    expect(told()).toEqual([]);
    await log(1);
    expect(told()).toHaveLength(1);
    expect(bodyOf(told()[0])).toMatchObject({ phase: "back_pressure", reason: "unacknowledged", unacknowledged: 21 });
    await runtime.world.advance(TELL_EVERY_MS);
    await log(30);
    await ack(10);
    await log(5);
    expect(told()).toHaveLength(1);
    await ack(session.events.length);
    await log(20);
    expect(told()).toHaveLength(1);
    await log(1);
    expect(told()).toHaveLength(2);
    expect(streamProblems(session.events)).toEqual([]);
  });

  it("is given everything all the same", async () => {
    await begin({ maxUnacknowledgedEvents: 5 });
    await log(200);
    expect(session.events.filter(isOnLog)).toHaveLength(200);
  });

  it("is counted from where it resumed: what it names there it has", async () => {
    await begin({ maxUnacknowledgedEvents: 20 });
    await log(15);
    session.connect();
    await runtime.world.settle();
    await log(15);
    expect(told()).toEqual([]);
  });

  it("is not told when it never said that it would acknowledge", async () => {
    await begin({ maxUnacknowledgedEvents: 5 }, ["progress"]);
    await log(50);
    expect(told()).toEqual([]);
  });
});
