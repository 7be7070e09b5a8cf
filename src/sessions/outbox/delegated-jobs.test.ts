import { beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../protocol/fields.ts";
import { createMemoryStore, type MemoryStore } from "../../stores/memory/memory-store.ts";
import { createFaultyStore, type FaultyStore } from "../../testing/faulty-store.ts";
import { ALL_FEATURES, isPlaced, type Placed, type TestClient, theOne } from "../test-client.ts";
import { startTestRuntime, type TestRuntime } from "../test-runtime.ts";
import { TestSession } from "../test-session.ts";
import { streamProblems } from "../test-stream-laws.ts";

const LEASE = { lease_request: { "agent.delegate": ["*"], "cost.budget": ["USD:5.00"], "tool.call": ["*"] } };
const WITHOUT = ALL_FEATURES.filter((feature) => feature !== "x-leasehold.delegation");

let store: MemoryStore;
let faulty: FaultyStore;
let runtime: TestRuntime;

beforeEach(async () => {
  store = createMemoryStore();
  faulty = createFaultyStore(store);
  runtime = await startTestRuntime({ store: faulty });
});

async function opened(options: { features?: readonly string[]; token?: string } = {}): Promise<TestClient> {
  const client = runtime.connect();
  await client.open(options);
  return client;
}

const submitPuppet = async (client: TestClient): Promise<string> =>
  (await client.submit("puppet", null, LEASE)).payload.job_id;

/** Has a puppet delegate another, and returns the child's id. */
async function delegated(parent: string, options: object = {}): Promise<string> {
  const child = runtime.puppet(parent).ctx.delegate("puppet", null, { lease: { "agent.delegate": ["*"] }, ...options });
  await runtime.world.settle();
  return (await child).jobId;
}

const isLag = (payload: Placed["payload"]): boolean => "kind" in payload && payload.body.phase === "back_pressure";
const told = ({ type, job_id, payload }: Placed): unknown[] =>
  type === "job.event" ? [job_id, payload.kind] : [job_id, type];

describe("a session that negotiated x-leasehold.delegation [reading-delegation]", () => {
  it("gets the child's acceptance behind the event that tells of it, and follows the child", async () => {
    const client = await opened();
    const parent = await submitPuppet(client);
    const child = await delegated(parent, { budget: { USD: "2" }, lease: { "tool.call": ["grep"] } });
    await runtime.puppet(child).ctx.log("at work");
    runtime.puppet(child).finish("done");
    const frames = (await client.settled()).filter(isPlaced);
    expect(frames.map(told)).toEqual([
      [parent, "delegate"],
      [child, "job.accepted"],
      [child, "log"],
      [child, "job.result"],
    ]);
    expect(streamProblems(frames)).toEqual([]);
    const event = frames[0]?.payload as { body: JsonObject };
    expect(frames[1]?.payload).toEqual({
      job_id: child,
      agent: "puppet@1.0.0",
      lease: { "tool.call": ["grep"], "cost.budget": ["USD:2"] },
      budget: { USD: 2 },
      accepted_at: expect.any(String),
      trace_id: frames[1]?.trace_id,
      parent_job_id: parent,
      delegate_id: event.body.delegate_id,
    });
    expect(event.body.child_job_id).toBe(child);
    expect(new Set(frames.map(({ id }) => id)).size).toBe(frames.length);
  });

  it("gets grandchildren, and children that end in the very turn", async () => {
    const client = await opened();
    const parent = await submitPuppet(client);
    const child = await delegated(parent);
    const grandchild = await delegated(child);
    const both = Promise.all([
      runtime.puppet(parent).ctx.delegate("echo", 1),
      runtime.puppet(parent).ctx.delegate("echo", 2),
    ]);
    runtime.puppet(grandchild).finish();
    const frames = (await client.settled()).filter(isPlaced);
    expect(streamProblems(frames)).toEqual([]);
    const accepted = frames.filter(({ type }) => type === "job.accepted").map(({ job_id }) => job_id);
    expect(accepted).toEqual([child, grandchild, ...(await both).map(({ jobId }) => jobId)]);
    for (const job of accepted.slice(1)) {
      const own = frames.filter(({ job_id }) => job_id === job).map(({ type }) => type);
      expect(own[0]).toBe("job.accepted");
      expect(own.at(-1)).toBe("job.result");
    }
  });

  it("may cancel a child", async () => {
    const client = await opened({ features: ALL_FEATURES.filter((feature) => feature !== "x-leasehold.control") });
    const child = await delegated(await submitPuppet(client));
    await client.settled();
    client.send("job.cancel", { job_id: child });
    const answer = await client.settled();
    expect(theOne(answer, "job.cancelled").payload.job_id).toBe(child);
    expect(theOne(answer, "job.error")).toMatchObject({ job_id: child, payload: { code: "CANCELLED" } });
  });

  it("keeps its stream free of gaps while other jobs emit", async () => {
    const client = await opened();
    const parent = await submitPuppet(client);
    client.send("job.submit", { agent: "flood", input: { n: 200, every: 3 } });
    for (let count = 0; count < 5; count++) await delegated(parent);
    runtime.puppet(parent).finish();
    await client.settled();
    const frames = client.texts.map((text) => JSON.parse(text)).filter(({ event_seq }) => event_seq !== undefined);
    expect(streamProblems(frames)).toEqual([]);
    expect(frames.filter(({ type }) => type === "job.error")).toHaveLength(5);
  });

  it("has the same frames again on a replay, also after a restart", async () => {
    const client = await opened();
    const welcome = theOne(
      client.texts.map((text) => JSON.parse(text)),
      "session.welcome",
    );
    const parent = await submitPuppet(client);
    const child = await delegated(parent);
    await runtime.puppet(child).ctx.log("at work");
    await client.settled();
    const seen = client.texts.filter((text) => text.includes('"event_seq"'));
    expect(seen).toHaveLength(3);
    await client.drop();
    await runtime.close();
    const later = await runtime.restartOn(createMemoryStore(store.snapshot()));
    const back = later.connect();
    back.resume({ ...welcome.payload, last_event_seq: 0 });
    await back.settled();
    const again = back.texts.filter((text) => text.includes('"event_seq"'));
    expect(again.slice(0, 3)).toEqual(seen);
    // Neither agent runs again: both jobs end.
    expect(streamProblems(again.map((text) => JSON.parse(text)))).toEqual([]);
    expect(again.slice(3).map((text) => JSON.parse(text).type)).toEqual(["job.error", "job.error"]);
  });
});

describe("a client that does not read", () => {
  it("gets every child once and in order when it reads again", async () => {
    const client = runtime.connect({ overloadBytes: 5_000 });
    await client.open();
    const parent = await submitPuppet(client);
    client.line.stall();
    const children: string[] = [];
    for (let count = 0; count < 30; count++) {
      const child = await delegated(parent);
      await runtime.puppet(child).ctx.log("x".repeat(200));
      runtime.puppet(child).finish();
      children.push(child);
    }
    await runtime.world.settle();
    client.line.resume();
    const frames = (await client.settled()).filter(isPlaced);
    expect(streamProblems(frames)).toEqual([]);
    const accepted = frames.filter(({ type }) => type === "job.accepted").map(({ job_id }) => job_id);
    expect(accepted).toEqual(children);
    expect(frames.filter(({ type }) => type === "job.result")).toHaveLength(30);
    for (const child of children) {
      const own = frames.filter(({ job_id, payload }) => job_id === child && !isLag(payload)).map(({ type }) => type);
      expect(own).toEqual(["job.accepted", "job.event", "job.result"]);
    }
  });
});

describe("a commit that is held, or fails [law-commit-then-publish]", () => {
  it("lets nothing of a child leave", async () => {
    const client = await opened();
    const parent = await submitPuppet(client);
    faulty.hold();
    const delegating = runtime.puppet(parent).ctx.delegate("puppet", null);
    expect(await client.settled()).toEqual([]);
    faulty.release();
    expect((await client.settled()).filter(isPlaced).map(told)).toEqual([
      [parent, "delegate"],
      [(await delegating).jobId, "job.accepted"],
    ]);
  });

  it("leaves no trace of a child that was not stored, and the stream intact", async () => {
    const client = await opened();
    const parent = await submitPuppet(client);
    faulty.failNext();
    const delegating = runtime.puppet(parent).ctx.delegate("puppet", null);
    const refused = expect(delegating).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
    const frames = (await client.settled()).filter(isPlaced);
    await refused;
    expect(frames.filter(({ type }) => type === "job.accepted")).toEqual([]);
    expect(streamProblems(frames)).toEqual([]);
    expect(runtime.errors.splice(0)).not.toEqual([]);
    const next = await submitPuppet(client);
    const child = await delegated(next);
    const later = (await client.settled()).filter(isPlaced);
    expect(later.map(told)).toEqual([
      [next, "delegate"],
      [child, "job.accepted"],
    ]);
    expect(streamProblems([...frames, ...later])).toEqual([]);
  });
});

describe("a session that was away", () => {
  it("gets children of that time when it is back, each once, and what they did", async () => {
    const client = await opened();
    const welcome = theOne(
      client.texts.map((text) => JSON.parse(text)),
      "session.welcome",
    );
    const parent = await submitPuppet(client);
    await client.drop();
    const child = await delegated(parent);
    await runtime.puppet(child).ctx.log("nobody looks");
    const grandchild = await delegated(child);
    runtime.puppet(grandchild).finish();
    runtime.puppet(child).finish();
    await runtime.world.settle();
    const back = runtime.connect();
    back.resume({ ...welcome.payload, last_event_seq: 0 });
    const frames = (await back.settled()).filter(isPlaced);
    expect(streamProblems(frames)).toEqual([]);
    expect(frames.map(told)).toEqual([
      [parent, "delegate"],
      [child, "job.accepted"],
      [child, "log"],
      [child, "delegate"],
      [grandchild, "job.accepted"],
      [child, "job.result"],
      [grandchild, "job.result"],
    ]);
    runtime.puppet(parent).finish();
    expect((await back.settled()).map(({ type }) => type)).toEqual(["job.result"]);
  });

  it("gets the tree with the job's history when it comes back by the idempotency key alone", async () => {
    const first = await opened();
    const key = { ...LEASE, idempotency_key: "the tree" };
    const parent = (await first.submit("puppet", null, key)).payload.job_id;
    const child = await delegated(parent);
    const other = await opened();
    other.send("job.submit", { agent: "puppet", input: null, ...key });
    const frames = (await other.settled()).filter(isPlaced);
    expect(frames.map(told)).toEqual([
      [parent, "delegate"],
      [child, "job.accepted"],
    ]);
    runtime.puppet(child).finish();
    expect((await other.settled()).map(({ type, job_id }) => [type, job_id])).toEqual([["job.result", child]]);
  });
});

describe("a session that did not submit the tree, or did not negotiate the feature", () => {
  it("is sent nothing that it did not ask for, and may subscribe", async () => {
    const plain = await opened({ features: WITHOUT });
    const parent = await submitPuppet(plain);
    const watcher = await opened();
    watcher.send("job.subscribe", { job_id: parent, history: true });
    await watcher.settled();
    const child = await delegated(parent);
    await runtime.puppet(child).ctx.log("at work");
    for (const client of [plain, watcher]) {
      expect((await client.settled()).filter(isPlaced).map(told)).toEqual([[parent, "delegate"]]);
      client.send("job.subscribe", { job_id: child, history: true });
      const answer = await client.settled();
      expect(theOne(answer, "job.subscribed").payload).toMatchObject({
        parent_job_id: parent,
        delegate_id: expect.any(String),
      });
      expect(answer.filter(isPlaced).map(told)).toEqual([[child, "log"]]);
    }
  });

  it("may cancel a child where it submitted the tree, and not where it watches [arcp-7.6-no-authority]", async () => {
    const features = WITHOUT.filter((feature) => feature !== "x-leasehold.control");
    const plain = await opened({ features });
    const child = await delegated(await submitPuppet(plain));
    const watcher = await opened({ features });
    watcher.send("job.subscribe", { job_id: child });
    await watcher.settled();
    watcher.send("job.cancel", { job_id: child });
    expect(theOne(await watcher.settled(), "session.error").payload.code).toBe("PERMISSION_DENIED");
    plain.send("job.cancel", { job_id: child });
    expect(theOne(await plain.settled(), "job.cancelled").payload.job_id).toBe(child);
  });
});

describe("a session that had subscribed to the child before it was told of it", () => {
  it("goes on with the child where it is, and may cancel it from then on", async () => {
    const client = await opened({ features: ALL_FEATURES.filter((feature) => feature !== "x-leasehold.control") });
    const parent = await submitPuppet(client);
    client.line.stall();
    const child = await delegated(parent);
    client.send("job.subscribe", { job_id: child, history: true });
    await runtime.puppet(child).ctx.log("at work");
    await runtime.world.settle();
    client.line.resume();
    const frames = (await client.settled()).filter(isPlaced);
    expect(streamProblems(frames)).toEqual([]);
    runtime.puppet(child).finish();
    expect((await client.settled()).filter(isPlaced).map(told)).toEqual([[child, "job.result"]]);
  });
});

describe("a connection that drops at every frame [law-no-gap-or-repeat]", () => {
  /** A tree of three, with what its jobs emit; dropped after `frames` frames of the session, and taken up again. */
  async function play(frames: number): Promise<{ session: TestSession; ids: string[] }> {
    const session = new TestSession(() => runtime);
    await runtime.world.settle();
    session.dropAfter = frames;
    const parent = await submitFor(session);
    const child = await delegated(parent);
    await runtime.puppet(child).ctx.log("one");
    await resumed(session);
    const grandchild = await delegated(child);
    await runtime.puppet(grandchild).ctx.log("two");
    runtime.puppet(grandchild).finish();
    await resumed(session);
    runtime.puppet(child).finish();
    runtime.puppet(parent).finish();
    await resumed(session);
    return { session, ids: [parent, child, grandchild] };
  }

  async function submitFor(session: TestSession): Promise<string> {
    session.client.send("job.submit", { agent: "puppet", input: null, ...LEASE, idempotency_key: "once" });
    await runtime.world.settle();
    const [job] = [...runtime.puppets.keys()].slice(-1);
    return job ?? "";
  }

  async function resumed(session: TestSession): Promise<void> {
    await runtime.world.settle();
    if (session.dropAfter <= 0) {
      session.dropAfter = Number.POSITIVE_INFINITY;
      session.connect();
    }
    await runtime.world.settle();
  }

  it.each(Array.from({ length: 11 }, (_, index) => index + 1))(
    "gets all of it once: after %i frames",
    async (frames) => {
      const { session, ids } = await play(frames);
      expect(streamProblems(session.placed)).toEqual([]);
      const accepted = session.placed.filter(({ type }) => type === "job.accepted");
      expect(accepted.map(({ job_id }) => job_id)).toEqual(ids.slice(1));
      for (const id of ids) {
        expect(session.placed.filter(({ type, job_id }) => type === "job.result" && job_id === id)).toHaveLength(1);
      }
      expect(session.placed).toHaveLength(9);
    },
  );
});
