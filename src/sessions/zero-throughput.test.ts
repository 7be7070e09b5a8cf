/** Peers that hardly do anything: each costs little, and not for ever. */
import { describe, expect, it } from "vitest";
import { CLOSE } from "../protocol/framing.ts";
import { createMemoryStore } from "../stores/memory/memory-store.ts";
import { ALL_FEATURES, isSequenced } from "./test-client.ts";
import { startTestRuntime } from "./test-runtime.ts";
import { streamProblems } from "./test-stream-laws.ts";

const OVERLOAD_BYTES = 4_000;
const SILENT = ALL_FEATURES.filter((feature) => feature !== "heartbeat");

describe("a peer that never reads", () => {
  it("costs one page beyond the mark, then its connection; its session loses nothing [reading-unread-closes]", async () => {
    const runtime = await startTestRuntime({ limits: { maxUnreadSec: 120 } });
    const client = runtime.connect({ overloadBytes: OVERLOAD_BYTES });
    const { payload } = await client.open({ features: SILENT });
    const job = (await client.submit("puppet")).payload.job_id;
    client.line.stall();
    for (let line = 0; line < 5_000; line++) {
      await runtime.puppet(job).ctx.log(`line ${line}`);
      if (line % 50 === 0) await runtime.world.settle();
    }
    await runtime.world.settle();
    expect(client.line.inFlight).toBeLessThan(200);
    await runtime.world.advance(119_000);
    expect(client.line.closed).toBeUndefined();
    await runtime.world.advance(21_000);
    // Nobody read that it was closed: after a while it was cut.
    expect(client.line.closed?.code).toBe(CLOSE.abnormal);
    const seen = client.take().filter(isSequenced);
    const back = runtime.connect();
    back.resume({ session_id: payload.session_id, resume_token: payload.resume_token, last_event_seq: seen.length });
    const rest = (await back.settled()).filter(isSequenced);
    expect(streamProblems([...seen, ...rest])).toEqual([]);
    expect([...seen, ...rest].at(-1)?.payload.job_seq).toBe(5_000);
  });

  it("is left alone while it reads at all, however slowly", async () => {
    const runtime = await startTestRuntime({ limits: { maxUnreadSec: 60 } });
    const client = runtime.connect({ overloadBytes: OVERLOAD_BYTES });
    await client.open({ features: SILENT });
    const job = (await client.submit("puppet")).payload.job_id;
    for (let round = 0; round < 10; round++) {
      client.line.stall();
      for (let line = 0; line < 100; line++) await runtime.puppet(job).ctx.log(`line ${line}`);
      await runtime.world.advance(45_000);
      client.line.resume();
      await runtime.world.settle();
    }
    expect(client.line.closed).toBeUndefined();
    expect(streamProblems(client.take().filter(isSequenced))).toEqual([]);
  });

  it("holds up neither its job nor another follower", async () => {
    const runtime = await startTestRuntime();
    const [idle, busy] = [runtime.connect({ overloadBytes: OVERLOAD_BYTES }), runtime.connect()];
    await idle.open();
    await busy.open();
    idle.line.stall();
    idle.send("job.submit", { agent: "flood", input: { n: 2_000, every: 50 } });
    busy.send("job.submit", { agent: "flood", input: { n: 2_000, every: 50 } });
    const events = (await busy.settled()).filter(isSequenced);
    expect(events).toHaveLength(2_001);
    const { jobs } = await runtime.store.listJobs({ principals: ["tests/ann"], limit: 9 });
    expect(jobs.map(({ status }) => status)).toEqual(["success", "success"]);
  });
});

describe("a peer that never sends", () => {
  it("has ten seconds to say hello, and then leaves nothing behind", async () => {
    const runtime = await startTestRuntime();
    const idle = runtime.world.pendingTimers;
    const clients = Array.from({ length: 50 }, () => runtime.connect());
    await runtime.world.advance(10_000);
    expect(clients.map(({ line }) => line.closed?.code)).toEqual(clients.map(() => CLOSE.invalidMessage));
    await runtime.world.advance(10_000);
    expect(runtime.world.pendingTimers).toBe(idle);
    expect(await runtime.store.listSessions()).toEqual([]);
  });

  it("after its hello loses its connection when it negotiated heartbeats", async () => {
    const runtime = await startTestRuntime();
    const client = runtime.connect();
    await client.open();
    await client.after(100_000);
    expect(client.line.closed?.code).toBe(CLOSE.heartbeatLost);
  });

  it("after its hello is left alone without heartbeats, at the cost of one timer for all", async () => {
    const runtime = await startTestRuntime();
    const idle = runtime.world.pendingTimers;
    const clients = Array.from({ length: 50 }, () => runtime.connect());
    for (const client of clients) await client.open({ features: SILENT });
    await runtime.world.advance(3_600_000);
    expect(clients.map(({ line }) => line.closed)).toEqual(clients.map(() => undefined));
    expect(clients.flatMap((client) => client.take())).toEqual([]);
    expect(runtime.world.pendingTimers).toBeLessThanOrEqual(idle + 1);
  });
});

describe("sessions that are opened and left", () => {
  it("leave nothing in memory, and nothing in the store, once their windows have closed", async () => {
    const store = createMemoryStore();
    const runtime = await startTestRuntime({ store, resumeWindowSec: 60 });
    const idle = runtime.world.pendingTimers;
    for (let count = 0; count < 200; count++) {
      const client = runtime.connect();
      await client.open();
      await client.drop();
    }
    expect(await store.listSessions()).toHaveLength(200);
    await runtime.world.advance(60_000);
    expect(await store.listSessions()).toEqual([]);
    expect(runtime.world.pendingTimers).toBeLessThanOrEqual(idle);
  });
});
