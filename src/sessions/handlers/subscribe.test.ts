import { beforeEach, describe, expect, it } from "vitest";
import type { Store } from "../../kernel/ports.ts";
import { createMemoryStore, type MemoryStore } from "../../stores/memory/memory-store.ts";
import { createFaultyStore, type FaultyStore } from "../../testing/faulty-store.ts";
import { ALL_FEATURES, isSequenced, refusals, type TestClient, theOne } from "../test-client.ts";
import { type Puppet, startTestRuntime, type TestRuntime } from "../test-runtime.ts";
import { streamProblems } from "../test-stream-laws.ts";

let inner: MemoryStore;
let store: FaultyStore;
let runtime: TestRuntime;
let submitter: TestClient;
let watcher: TestClient;
let job: string;
let puppet: Puppet;

beforeEach(async () => {
  inner = createMemoryStore();
  store = createFaultyStore(inner);
  runtime = await startTestRuntime({ store });
  submitter = runtime.connect();
  await submitter.open();
  watcher = runtime.connect();
  await watcher.open({ features: ALL_FEATURES.filter((feature) => feature !== "heartbeat") });
  job = (await submitter.submit("puppet", 1, { lease_request: { "cost.budget": ["USD:5"] } })).payload.job_id;
  puppet = runtime.puppet(job);
  for (const line of ["one", "two", "three"]) await puppet.ctx.log(line);
  await runtime.world.settle();
});

const seqsOf = (received: Awaited<ReturnType<TestClient["settled"]>>) =>
  received.filter(isSequenced).map(({ payload }) => payload.job_seq);

describe("job.subscribed", () => {
  it("shows status, agent, lease and counters, and where the replay begins [arcp-7.6-authority-descriptor] [reading-correlation]", async () => {
    const request = watcher.send("job.subscribe", { job_id: job, history: true });
    expect(theOne(await watcher.settled(), "job.subscribed").payload).toMatchObject({
      job_id: job,
      current_status: "running",
      agent: "puppet@1.0.0",
      lease: { "cost.budget": ["USD:5"] },
      budget: { USD: 5 },
      subscribed_from: 0,
      replayed: true,
      request_id: request,
    });
  });

  it("comes first, then the replay, then what is live [reading-subscribe-order] [arcp-7.6-interleaved] [arcp-7.6-submitter-observes]", async () => {
    watcher.send("job.subscribe", { job_id: job, history: true });
    const received = await watcher.settled();
    expect(received.map(({ type }) => type)).toEqual(["job.subscribed", "job.event", "job.event", "job.event"]);
    puppet.finish();
    const events = [...received, ...(await watcher.settled())].filter(isSequenced);
    expect(streamProblems(events)).toEqual([]);
    expect(events.at(-1)?.type).toBe("job.result");
  });

  it("does not leave before the subscription is durable [law-commit-then-publish]", async () => {
    store.hold();
    watcher.send("job.subscribe", { job_id: job, history: true });
    expect(await watcher.settled()).toEqual([]);
    store.release();
    expect(await watcher.settled()).toHaveLength(4);
  });

  it("is an error when the subscription could not be stored", async () => {
    store.failNext();
    const request = watcher.send("job.subscribe", { job_id: job });
    expect(refusals(await watcher.settled())).toEqual([["INTERNAL_ERROR", request]]);
    await puppet.ctx.log("unseen");
    expect(await watcher.settled()).toEqual([]);
    runtime.errors.length = 0;
  });
});

describe("the position", () => {
  it.each([
    [{ history: true }, [1, 2, 3, 4]],
    [{ history: true, from_job_seq: 2 }, [3, 4]],
    [{ history: true, from_event_seq: 1 }, [2, 3, 4]],
    [{ history: true, from_job_seq: 3 }, [4]],
    [{ history: true, from_job_seq: 4 }, [1, 2, 3, 4]],
    [{ history: true, from_job_seq: 1_000_000 }, [1, 2, 3, 4]],
    [{ history: false, from_job_seq: 1 }, [4]],
    [{ from_event_seq: "live" }, [4]],
    [{}, [4]],
  ])("%j delivers entries %j [arcp-7.6-replay-from] [arcp-7.6-live-only]", async (fields, seqs) => {
    watcher.send("job.subscribe", { job_id: job, ...fields });
    const before = await watcher.settled();
    await puppet.ctx.log("four");
    expect(seqsOf([...before, ...(await watcher.settled())])).toEqual(seqs);
  });
});

describe("a job that has ended", () => {
  beforeEach(async () => {
    puppet.finish("done");
    await runtime.world.settle();
  });

  it("is replayed to its terminal [reading-finished-jobs]", async () => {
    watcher.send("job.subscribe", { job_id: job, history: true });
    const received = await watcher.settled();
    expect(theOne(received, "job.subscribed").payload.current_status).toBe("success");
    expect(seqsOf(received)).toEqual([1, 2, 3, 4]);
    expect(received.at(-1)?.type).toBe("job.result");
  });

  it("is replayed again when it is asked for again, at new places", async () => {
    watcher.send("job.subscribe", { job_id: job, history: true });
    const first = (await watcher.settled()).filter(isSequenced);
    watcher.send("job.subscribe", { job_id: job, history: true });
    const second = (await watcher.settled()).filter(isSequenced);
    expect(second.map(({ event_seq }) => event_seq)).toEqual(first.map(({ event_seq }) => event_seq + 4));
  });
});

it("a job whose end is on the disk, and not known yet, is told as ended: nobody waits for what does not come", async () => {
  const memory = createMemoryStore();
  let known: Promise<void> | undefined;
  const slow: Store = {
    ...memory,
    async commit(batch) {
      const outcome = await memory.commit(batch);
      await known;
      return outcome;
    },
  };
  const held = await startTestRuntime({ store: slow });
  const [source, other] = [held.connect(), held.connect()];
  await source.open();
  await other.open();
  const id = (await source.submit("puppet")).payload.job_id;
  const { promise, resolve } = Promise.withResolvers<void>();
  known = promise;
  held.puppet(id).finish();
  await held.world.settle();
  other.send("job.subscribe", { job_id: id });
  await held.world.settle();
  known = undefined;
  resolve();
  expect(theOne(await other.settled(), "job.subscribed").payload).toMatchObject({
    current_status: "success",
    subscribed_from: 1,
  });
});

describe("a job followed already", () => {
  it("simply goes on: its submitter gets no second stream", async () => {
    submitter.take();
    submitter.send("job.subscribe", { job_id: job, history: true });
    const received = await submitter.settled();
    expect(received.map(({ type }) => type)).toEqual(["job.subscribed"]);
    expect(theOne(received, "job.subscribed").payload).toMatchObject({ subscribed_from: 3, replayed: false });
    submitter.send("job.cancel", { job_id: job });
    expect((await submitter.settled()).map(({ type }) => type)).toEqual(["job.cancelled", "job.error"]);
  });

  it("is followed once however often and however fast it is asked for", async () => {
    watcher.send("job.subscribe", { job_id: job, history: true });
    watcher.send("job.subscribe", { job_id: job });
    watcher.send("job.subscribe", { job_id: job, history: true, from_job_seq: 2 });
    const received = await watcher.settled();
    await puppet.ctx.log("four");
    expect(seqsOf([...received, ...(await watcher.settled())])).toEqual([1, 2, 3, 4]);
    expect(received.filter(({ type }) => type === "job.subscribed")).toHaveLength(3);
  });
});

describe("unsubscribing", () => {
  it("ends the events [arcp-7.6-unsubscribe]", async () => {
    watcher.send("job.subscribe", { job_id: job });
    await watcher.settled();
    watcher.send("job.unsubscribe", { job_id: job });
    await watcher.settled();
    await puppet.ctx.log("unseen");
    expect(await watcher.settled()).toEqual([]);
  });

  it("right after subscribing ends them too", async () => {
    watcher.send("job.subscribe", { job_id: job });
    watcher.send("job.unsubscribe", { job_id: job });
    await watcher.settled();
    await puppet.ctx.log("unseen");
    expect(await watcher.settled()).toEqual([]);
  });

  it("and subscribing anew leaves a stream without gap or repeat", async () => {
    for (const type of ["subscribe", "unsubscribe", "subscribe", "unsubscribe", "subscribe"]) {
      watcher.send(`job.${type}`, { job_id: job, from_job_seq: 3, history: true });
    }
    const received = await watcher.settled();
    await puppet.ctx.log("four");
    expect(seqsOf([...received, ...(await watcher.settled())])).toEqual([4]);
  });

  it("and what was subscribed anew in the same turn are remembered by a restart", async () => {
    watcher = runtime.connect();
    const welcome = await watcher.open();
    const second = (await submitter.submit("puppet")).payload.job_id;
    for (const id of [job, second]) watcher.send("job.subscribe", { job_id: id });
    await watcher.settled();
    for (const id of [job, second]) watcher.send("job.unsubscribe", { job_id: id });
    watcher.send("job.subscribe", { job_id: second });
    await watcher.settled();
    await runtime.close();
    const next = await runtime.restartOn(createMemoryStore(inner.snapshot()));
    const back = next.connect();
    back.resume({ ...welcome.payload, last_event_seq: 0 });
    expect((await back.settled()).map(({ type, job_id }) => [type, job_id])).toEqual([
      ["session.welcome", undefined],
      ["job.error", second],
    ]);
  });

  it("is an error when it could not be stored, and the events go on", async () => {
    watcher.send("job.subscribe", { job_id: job });
    await watcher.settled();
    store.failNext();
    const request = watcher.send("job.unsubscribe", { job_id: job });
    expect(refusals(await watcher.settled())).toEqual([["INTERNAL_ERROR", request]]);
    await puppet.ctx.log("four");
    expect(seqsOf(await watcher.settled())).toEqual([4]);
    runtime.errors.length = 0;
  });

  it("is not for the submitting session: it goes on to receive its job", async () => {
    submitter.take();
    submitter.send("job.unsubscribe", { job_id: job });
    await submitter.settled();
    await puppet.ctx.log("four");
    expect(seqsOf(await submitter.settled())).toEqual([4]);
  });

  it("while a commit with places in the stream is under way leaves the stream whole", async () => {
    watcher.send("job.subscribe", { job_id: job });
    await watcher.settled();
    const second = (await watcher.submit("puppet")).payload.job_id;
    store.hold();
    await puppet.ctx.log("on its way");
    await runtime.world.settle();
    watcher.send("job.unsubscribe", { job_id: job });
    await runtime.world.settle();
    store.release();
    const first = await watcher.settled();
    await puppet.ctx.log("unseen");
    await runtime.puppet(second).ctx.log("seen");
    const events = [...first, ...(await watcher.settled())].filter(isSequenced);
    expect(streamProblems(events)).toEqual([]);
    expect(events.map(({ job_id }) => job_id)).toEqual([job, second]);
  });
});

describe("another principal", () => {
  it("gets for a foreign job the answer for an unknown one [reading-foreign-job] [arcp-7.6-verify-principal] [arcp-14-same-principal-default]", async () => {
    const bob = runtime.connect();
    await bob.open({ token: "bob" });
    const messageFor = async (id: string) => {
      bob.send("job.subscribe", { job_id: id, history: true });
      const { payload } = theOne(await bob.settled(), "session.error");
      return { ...payload, message: payload.message.replace(id, "JOB"), request_id: "" };
    };
    expect(await messageFor(job)).toEqual(await messageFor("job_nowhere"));
    expect((await messageFor(job)).code).toBe("JOB_NOT_FOUND");
    await puppet.ctx.log("private");
    expect(await bob.settled()).toEqual([]);
  });
});

describe("subscribing at any moment of a flood", () => {
  const N = 90;

  /** Subscribes when the submitter has got `position` frames of a flood; returns what the watcher gets. */
  async function watchFrom(position: number, fields: object) {
    const flooded = await startTestRuntime();
    const [source, other] = [flooded.connect(), flooded.connect()];
    await source.open();
    await other.open();
    let frames = 0;
    source.line.open({
      frame(text) {
        if (++frames === position) other.send("job.subscribe", { job_id: JSON.parse(text).job_id, ...fields });
      },
      closed() {},
    });
    source.send("job.submit", { agent: "flood", input: { n: N, every: 5 } });
    const received = await other.settled();
    await flooded.close();
    return received;
  }

  it("with history gives the whole log, once and in order [reading-subscribe-order] [law-no-gap-or-repeat]", async () => {
    for (let position = 1; position <= N + 2; position += 3) {
      const events = (await watchFrom(position, { history: true })).filter(isSequenced);
      expect(streamProblems(events), `from frame ${position}`).toEqual([]);
      expect(events, `from frame ${position}`).toHaveLength(N + 1);
    }
  });

  it("without history gives everything after the place it names", async () => {
    const places = new Set<number>();
    for (let position = 1; position <= N + 2; position += 3) {
      const received = await watchFrom(position, {});
      const from = theOne(received, "job.subscribed").payload.subscribed_from ?? 0;
      const events = received.filter(isSequenced);
      expect(streamProblems(events), `from frame ${position}`).toEqual([]);
      expect(from + events.length, `from frame ${position}`).toBe(N + 1);
      places.add(from);
    }
    expect(places.size).toBeGreaterThan(10);
  });
});
