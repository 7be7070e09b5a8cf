/** What catching up costs, and whom it holds up. */
import { describe, expect, it, vi } from "vitest";
import type { ChunkQuery, Store } from "../../kernel/ports.ts";
import { createMemoryStore, type MemoryStore } from "../../stores/memory/memory-store.ts";
import { createFakeWorld } from "../../testing/fake-world.ts";
import { isSequenced, ofType, type TestClient } from "../test-client.ts";
import { startTestRuntime, type TestRuntime } from "../test-runtime.ts";
import { TestSession } from "../test-session.ts";
import { streamProblems } from "../test-stream-laws.ts";

/** Reads of jobs and logs, each job of a call counted. */
function countReads(store: MemoryStore): () => number {
  const [chunks, heads, jobs] = [
    vi.spyOn(store, "readChunks"),
    vi.spyOn(store, "readHeads"),
    vi.spyOn(store, "readJob"),
  ];
  return () =>
    chunks.mock.calls.length + jobs.mock.calls.length + heads.mock.calls.reduce((sum, [ids]) => sum + ids.length, 0);
}

/** Many reads one after the other are a longer chain of promises than one `settle` waits for. */
async function rest({ world }: TestRuntime): Promise<void> {
  for (let round = 0; round < 30; round++) await world.settle();
}

async function submitAll(runtime: TestRuntime, agent: string, count: number): Promise<string[]> {
  const client = runtime.connect();
  await client.open();
  for (let index = 0; index < count; index++) client.send("job.submit", { agent, input: index });
  return ofType(await client.settled(), "job.accepted").map(({ payload }) => payload.job_id);
}

const subscribeAll = (client: TestClient, jobs: readonly string[]): void => {
  for (const job_id of jobs) client.send("job.subscribe", { job_id, history: true });
};

describe("what a session costs that follows many jobs", () => {
  it("grows with the jobs, and not with their square: subscribing to their histories", async () => {
    const reads = async (count: number): Promise<number> => {
      const store = createMemoryStore();
      const runtime = await startTestRuntime({ store });
      const jobs = await submitAll(runtime, "echo", count);
      const watcher = runtime.connect();
      await watcher.open();
      const counted = countReads(store);
      subscribeAll(watcher, jobs);
      await rest(runtime);
      const events = watcher.take().filter(isSequenced);
      expect(streamProblems(events)).toEqual([]);
      expect(events).toHaveLength(2 * count);
      return counted();
    };
    const [few, many] = [await reads(30), await reads(300)];
    expect(many).toBeLessThan(11 * few);
  });

  it("grows with what happened, and not with the jobs that wait: coming back", async () => {
    const store = createMemoryStore();
    const runtime = await startTestRuntime({ store });
    const jobs = await submitAll(runtime, "puppet", 200);
    const session = new TestSession(() => runtime);
    await rest(runtime);
    subscribeAll(session.client, jobs);
    await rest(runtime);
    await session.client.drop();
    for (const job of jobs.slice(0, 3)) await runtime.puppet(job).ctx.log("missed");
    await rest(runtime);
    const counted = countReads(store);
    session.connect();
    await rest(runtime);
    expect(session.events).toHaveLength(3);
    expect(counted()).toBeLessThan(3 * 200);
    const before = counted();
    for (let line = 0; line < 50; line++) {
      await runtime.puppet(jobs[0] as string).ctx.log("live");
      await rest(runtime);
    }
    expect(session.events).toHaveLength(53);
    expect(counted()).toBe(before);
  });

  it("is placed many jobs at a time, and no more than a page", async () => {
    const store = createMemoryStore();
    const runtime = await startTestRuntime({ store });
    const jobs = await submitAll(runtime, "puppet", 200);
    const session = new TestSession(() => runtime);
    await rest(runtime);
    subscribeAll(session.client, jobs);
    await rest(runtime);
    await session.client.drop();
    for (const job of jobs) await runtime.puppet(job).ctx.log("missed");
    await rest(runtime);
    const commit = vi.spyOn(store, "commit");
    session.connect();
    await rest(runtime);
    const placed = commit.mock.calls.map(([{ rows }]) => rows.segments?.length ?? 0).filter((count) => count > 0);
    expect(placed.reduce((sum, count) => sum + count, 0)).toBe(200);
    expect(placed.length).toBeLessThan(10);
    expect(Math.max(...placed)).toBeLessThanOrEqual(64);
    expect(streamProblems(session.events)).toEqual([]);
  });
});

describe("a flood of requests that read much", () => {
  /** Answers of both, in the order in which they came. */
  async function answersOf(flood: (client: TestClient, jobs: readonly string[]) => void): Promise<string[]> {
    const runtime = await startTestRuntime();
    const jobs = await submitAll(runtime, "echo", 400);
    const order: string[] = [];
    const [greedy, modest] = [runtime.connect(), runtime.connect()];
    for (const [name, client] of Object.entries({ greedy, modest })) {
      await client.open();
      client.line.open({
        frame: (text) => {
          if (/"type":"job\.(subscribed|accepted)"/.test(text)) order.push(name);
        },
        closed() {},
      });
    }
    flood(greedy, jobs);
    modest.send("job.subscribe", { job_id: jobs[0], history: true });
    await rest(runtime);
    return order;
  }

  it("of subscriptions by one session does not hold up another's", async () => {
    const order = await answersOf((greedy, jobs) => subscribeAll(greedy, jobs));
    expect(order.filter((name) => name === "greedy")).toHaveLength(400);
    expect(order.indexOf("modest")).toBeLessThan(5);
  });

  it("of submissions repeated by their keys does not either", async () => {
    const order = await answersOf((greedy) => {
      for (let count = 0; count < 400; count++) {
        greedy.send("job.submit", { agent: "echo", input: 1, idempotency_key: `key-${count % 2}` });
      }
    });
    expect(order.filter((name) => name === "greedy")).toHaveLength(400);
    expect(order.indexOf("modest")).toBeLessThan(50);
  });
});

it("a commit that lands while a log is being read is not overlooked, be it the last of its job", async () => {
  const memory = createMemoryStore();
  const world = createFakeWorld();
  let meanwhile: (() => void) | undefined;
  const store: Store = {
    ...memory,
    async readChunks(query: ChunkQuery) {
      const chunks = await memory.readChunks(query);
      if (chunks.length > 0) return chunks;
      // Nothing was found; before the reader hears of it, there is something.
      meanwhile?.();
      meanwhile = undefined;
      for (let turn = 0; turn < 8; turn++) await new Promise<void>((resolve) => world.timers.soon(resolve));
      return chunks;
    },
  };
  const runtime = await startTestRuntime({ store, world });
  const session = new TestSession(() => runtime);
  await rest(runtime);
  session.client.send("job.submit", { agent: "puppet" });
  await rest(runtime);
  const puppet = runtime.puppet(ofType(session.replies, "job.accepted")[0]?.payload.job_id ?? "");
  await session.client.drop();
  await puppet.ctx.log("missed");
  await rest(runtime);
  meanwhile = () => puppet.finish("done");
  session.connect();
  await rest(runtime);
  expect(meanwhile).toBeUndefined();
  expect(session.events.map(({ type }) => type)).toEqual(["job.event", "job.result"]);
});

it("a connection that is lost while it reads leaves nothing unread to the next one", async () => {
  const memory = createMemoryStore();
  let gate: Promise<void> | undefined;
  const store: Store = {
    ...memory,
    async readChunks(query: ChunkQuery) {
      const chunks = await memory.readChunks(query);
      await gate;
      return chunks;
    },
  };
  const runtime = await startTestRuntime({ store });
  const session = new TestSession(() => runtime);
  await rest(runtime);
  session.client.send("job.submit", { agent: "puppet" });
  await rest(runtime);
  const puppet = runtime.puppet(ofType(session.replies, "job.accepted")[0]?.payload.job_id ?? "");
  await session.client.drop();
  puppet.finish("missed");
  await rest(runtime);
  const opened = Promise.withResolvers<void>();
  gate = opened.promise;
  session.connect();
  await rest(runtime);
  // The log is in the hands of this connection when it goes, and the next one finds nothing to do.
  await session.client.drop();
  gate = undefined;
  session.connect();
  await rest(runtime);
  opened.resolve();
  await rest(runtime);
  expect(session.events.map(({ type }) => type)).toEqual(["job.result"]);
});
