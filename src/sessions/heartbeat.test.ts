import { beforeEach, describe, expect, it } from "vitest";
import { CLOSE } from "../protocol/framing.ts";
import { isSequenced, ofType, refusals, type TestClient, theOne, type Welcome } from "./test-client.ts";
import { startTestRuntime, type TestRuntime } from "./test-runtime.ts";

const INTERVAL_MS = 30_000;

let runtime: TestRuntime;
let client: TestClient;
let welcome: Welcome;

beforeEach(async () => {
  runtime = await startTestRuntime({ heartbeatIntervalSec: INTERVAL_MS / 1000 });
  client = runtime.connect();
  welcome = await client.open({ features: ["heartbeat"] });
});

describe("a ping", () => {
  it("is answered at once by a pong with its nonce [arcp-6.4-pong]", async () => {
    await runtime.world.advance(20);
    client.send("session.ping", { nonce: "p_1", sent_at: "2026-01-01T00:00:00Z" });
    expect(theOne(await client.settled(), "session.pong").payload).toEqual({
      ping_nonce: "p_1",
      received_at: "2026-01-01T00:00:00.020Z",
    });
  });

  it("without a nonce is malformed", async () => {
    client.send("session.ping", {});
    expect(refusals(await client.settled())).toEqual([["INVALID_REQUEST", "request-2"]]);
  });
});

describe("an idle runtime", () => {
  it("says something in every interval, as long as the client does [arcp-6.4-message-per-interval]", async () => {
    for (let interval = 0; interval < 10; interval++) {
      const pings = ofType(await client.after(INTERVAL_MS), "session.ping");
      expect(pings.length).toBeGreaterThanOrEqual(1);
      for (const { payload } of pings) client.send("session.pong", { ping_nonce: payload.nonce });
    }
    expect(client.line.closed).toBeUndefined();
  });

  it("takes no place in the stream for it [arcp-6.4-outside-event-seq]", async () => {
    for (let interval = 0; interval < 3; interval++) {
      await client.after(INTERVAL_MS);
      client.send("session.ping", { nonce: "n" });
    }
    client.send("job.submit", { agent: "echo" });
    expect((await client.settled()).filter(isSequenced).map(({ event_seq }) => event_seq)).toEqual([1, 2]);
  });

  it("sends nothing to a session without the feature, and waits for nothing", async () => {
    const bare = runtime.connect();
    await bare.open({ features: [] });
    expect(await bare.after(100 * INTERVAL_MS)).toEqual([]);
    expect(bare.line.closed).toBeUndefined();
  });
});

describe("a client that is silent for two intervals", () => {
  it("is told HEARTBEAT_LOST and loses its connection, not earlier [reading-heartbeat-parks] [arcp-6.4-heartbeat-lost]", async () => {
    await client.after(2 * INTERVAL_MS - 1);
    expect(client.line.closed).toBeUndefined();
    const received = await client.after(INTERVAL_MS / 2);
    expect(theOne(received, "session.error").payload).toMatchObject({ code: "HEARTBEAT_LOST", retryable: true });
    expect(client.line.closed?.code).toBe(CLOSE.heartbeatLost);
  });

  it("is heard by any message, also a malformed one", async () => {
    for (let interval = 0; interval < 5; interval++) {
      await client.after(INTERVAL_MS);
      client.line.send("?");
    }
    expect(client.line.closed).toBeUndefined();
  });

  it("keeps its job and its session [arcp-6.4-jobs-survive-loss] [arcp-6.4-session-survives-loss]", async () => {
    const job = (await client.submit("puppet")).payload.job_id;
    await client.after(3 * INTERVAL_MS);
    expect(client.line.closed?.code).toBe(CLOSE.heartbeatLost);
    expect(runtime.puppet(job).ctx.signal.aborted).toBe(false);
    await runtime.puppet(job).ctx.log("alone");
    const back = runtime.connect();
    back.resume({ ...welcome.payload, last_event_seq: 0 });
    expect((await back.settled()).map(({ type }) => type)).toEqual(["session.welcome", "job.event"]);
    runtime.puppet(job).finish();
    expect((await back.settled()).map(({ type }) => type)).toEqual(["job.result"]);
  });

  it("is watched anew after a resume", async () => {
    await client.after(3 * INTERVAL_MS);
    const back = runtime.connect();
    back.resume({ ...welcome.payload, last_event_seq: 0 });
    await runtime.world.settle();
    expect(ofType(await back.after(INTERVAL_MS), "session.ping").length).toBeGreaterThanOrEqual(1);
    await back.after(2 * INTERVAL_MS);
    expect(back.line.closed?.code).toBe(CLOSE.heartbeatLost);
  });
});
