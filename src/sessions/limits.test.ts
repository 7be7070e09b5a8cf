import { beforeEach, describe, expect, it } from "vitest";
import { CLOSE } from "../protocol/framing.ts";
import { createRuntime } from "../server/runtime.ts";
import { createMemoryStore } from "../stores/memory/memory-store.ts";
import { DEFAULT_SESSION_LIMITS, type SessionLimits, sessionLimits } from "./limits.ts";
import { ofType, refusals, type TestClient, theOne } from "./test-client.ts";
import { startTestRuntime, type TestRuntime } from "./test-runtime.ts";

describe("options", () => {
  it.each(Object.keys(DEFAULT_SESSION_LIMITS))("limits.%s is refused by its name when it makes no sense", (name) => {
    for (const value of [-1, Number.NaN, "many", null, {}]) {
      expect(() => sessionLimits({ [name]: value })).toThrow(`limits.${name} must be a number`);
    }
    expect(sessionLimits({ [name]: 7 })).toEqual({ ...DEFAULT_SESSION_LIMITS, [name]: 7 });
    expect(sessionLimits({ [name]: Number.POSITIVE_INFINITY })).toHaveProperty(name, Number.POSITIVE_INFINITY);
  });

  it("of nothing at all is what a session may keep after its window, and nothing else", () => {
    expect(sessionLimits({ maxParkedBytes: 0 }).maxParkedBytes).toBe(0);
    expect(() => sessionLimits({ maxSessionsPerPrincipal: 0 })).toThrow("limits.maxSessionsPerPrincipal");
  });

  it.each([
    ["heartbeatIntervalSec", 0],
    ["heartbeatIntervalSec", -30],
    ["heartbeatIntervalSec", Number.NaN],
    ["heartbeatIntervalSec", Number.POSITIVE_INFINITY],
    ["resumeWindowSec", -1],
    ["resumeWindowSec", Number.NaN],
    ["resumeWindowSec", "600"],
  ])("%s of %s is refused by its name", async (name, value) => {
    const store = createMemoryStore();
    await expect(createRuntime({ agents: [], store, [name]: value })).rejects.toThrow(`${name} must be a number`);
  });
});

let runtime: TestRuntime;

const limited = async (limits: Partial<SessionLimits>): Promise<void> => {
  runtime = await startTestRuntime({ limits, resumeWindowSec: 60 });
};

/** Says hello and returns the connection with the refusal, or none. */
async function hello(token = "ann"): Promise<{ client: TestClient; refusal: unknown }> {
  const client = runtime.connect();
  client.hello({ token });
  const [refusal] = ofType(await client.settled(), "session.error");
  return { client, refusal: refusal?.payload };
}

const beyond = (limit: keyof SessionLimits) => ({
  code: "INTERNAL_ERROR",
  retryable: true,
  details: { limit, retry_after_ms: expect.any(Number) },
});

describe("sessions of a principal [arcp-14-session-caps] [reading-session-caps] [reading-principal-caps]", () => {
  beforeEach(() => limited({ maxSessionsPerPrincipal: 3 }));

  it("are as many as allowed, parked ones among them, and others' do not count", async () => {
    for (let count = 0; count < 3; count++) {
      const { client, refusal } = await hello();
      expect(refusal).toBeUndefined();
      await client.drop();
    }
    const { client, refusal } = await hello();
    expect(refusal).toMatchObject(beyond("maxSessionsPerPrincipal"));
    expect(client.line.closed?.code).toBe(CLOSE.beyondLimit);
    expect((await hello("bob")).refusal).toBeUndefined();
  });

  it("make room when one ends", async () => {
    for (let count = 0; count < 3; count++) await (await hello()).client.drop();
    await runtime.world.advance(60_000);
    expect((await hello()).refusal).toBeUndefined();
  });

  it("are counted over a restart", async () => {
    for (let count = 0; count < 3; count++) await hello();
    await runtime.close();
    const next = await runtime.restartOn(
      createMemoryStore((runtime.store as ReturnType<typeof createMemoryStore>).snapshot()),
    );
    const client = next.connect();
    client.hello();
    expect(refusals(await client.settled())).toEqual([["INTERNAL_ERROR", "request-1"]]);
    await next.world.advance(60_000);
    const later = next.connect();
    await later.open();
  });

  it("do not count what could not be stored", async () => {
    const { commit } = runtime.store;
    const failing = runtime.store as { commit: typeof commit };
    for (let count = 0; count < 5; count++) {
      failing.commit = () => Promise.reject(new Error("no disk"));
      expect((await hello()).refusal).toMatchObject({ code: "INTERNAL_ERROR" });
      failing.commit = commit;
    }
    expect((await hello()).refusal).toBeUndefined();
    runtime.errors.length = 0;
  });
});

describe("connections of a principal", () => {
  beforeEach(() => limited({ maxConnectionsPerPrincipal: 2 }));

  it("are as many as allowed, and make room when they drop", async () => {
    const [first] = [await hello(), await hello()];
    expect((await hello()).refusal).toMatchObject(beyond("maxConnectionsPerPrincipal"));
    expect((await hello("bob")).refusal).toBeUndefined();
    await first.client.drop();
    expect((await hello()).refusal).toBeUndefined();
    expect((await hello()).refusal).toMatchObject(beyond("maxConnectionsPerPrincipal"));
  });

  it("may be superseded: whoever lost one half-way comes back", async () => {
    const client = runtime.connect();
    const { payload } = await client.open();
    await hello();
    for (let round = 0; round < 3; round++) {
      const back = runtime.connect();
      back.resume({ ...payload, last_event_seq: 0 });
      expect((await back.settled()).map(({ type }) => type)).toEqual(["session.welcome"]);
    }
    expect((await hello()).refusal).toMatchObject(beyond("maxConnectionsPerPrincipal"));
  });

  it("do not count those that were refused", async () => {
    for (let count = 0; count < 5; count++) {
      const client = runtime.connect();
      client.resume({ session_id: "sess_nowhere", resume_token: "x", last_event_seq: 0 });
      await client.settled();
    }
    expect((await hello()).refusal).toBeUndefined();
  });
});

describe("subscriptions of a session", () => {
  it("are as many as allowed, and one ended makes room", async () => {
    await limited({ maxFollowsPerSession: 2 });
    const [source, watcher] = [runtime.connect(), runtime.connect()];
    await source.open();
    await watcher.open();
    const jobs: string[] = [];
    for (let count = 0; count < 3; count++) jobs.push((await source.submit("puppet")).payload.job_id);
    for (const job_id of jobs) watcher.send("job.subscribe", { job_id });
    const received = await watcher.settled();
    expect(ofType(received, "job.subscribed")).toHaveLength(2);
    expect(theOne(received, "session.error").payload).toMatchObject({
      retryable: true,
      details: { limit: "maxFollowsPerSession" },
    });
    watcher.send("job.unsubscribe", { job_id: jobs[0] });
    watcher.send("job.subscribe", { job_id: jobs[2] });
    expect(refusals(await watcher.settled())).toEqual([]);
  });
});

describe("the rate of messages [reading-session-caps]", () => {
  const ping = (client: TestClient, times: number): void => {
    for (let count = 0; count < times; count++) client.send("session.ping", { nonce: "n" });
  };

  it("of a session is refused beyond its limit, with how long to wait, and allowed again", async () => {
    await limited({ maxMessagesPerSecond: 5 });
    const { client } = await hello();
    ping(client, 12);
    const received = await client.settled();
    expect(ofType(received, "session.pong")).toHaveLength(10);
    const [first, ...more] = ofType(received, "session.error").map(({ payload }) => payload);
    expect(first).toMatchObject({ ...beyond("maxMessagesPerSecond"), request_id: "request-12" });
    expect(more).toHaveLength(1);
    await client.after(Number(first?.details?.retry_after_ms));
    ping(client, 1);
    expect((await client.settled()).map(({ type }) => type)).toEqual(["session.pong"]);
  });

  it("of all sessions of a principal together, too, and of nobody else", async () => {
    await limited({ maxMessagesPerSecondPerPrincipal: 5 });
    const [{ client: one }, { client: other }, { client: bob }] = [await hello(), await hello(), await hello("bob")];
    ping(one, 4);
    ping(other, 6);
    ping(bob, 6);
    const pongs = async (client: TestClient) => ofType(await client.settled(), "session.pong").length;
    // Two of the ten were spent on saying hello.
    expect((await pongs(one)) + (await pongs(other))).toBe(8);
    expect(await pongs(bob)).toBe(6);
  });

  it("does not count acknowledgements, of which a client may send one for every event", async () => {
    await limited({ maxMessagesPerSecond: 5 });
    const { client } = await hello();
    for (let count = 0; count < 5_000; count++) client.send("session.ack", { last_processed_seq: 0 });
    ping(client, 10);
    expect((await client.settled()).map(({ type }) => type)).toEqual(Array.from({ length: 10 }, () => "session.pong"));
  });

  it("keeps the answers to submissions in their order", async () => {
    await limited({ maxMessagesPerSecond: 1 });
    const { client } = await hello();
    for (const checkMs of [50, 0, 0]) client.send("job.submit", { agent: "slow-check", input: { checkMs } });
    await runtime.world.advance(100);
    const answers = client
      .take()
      .flatMap((message) =>
        message.type === "job.accepted" || message.type === "session.error" ? [message.payload.request_id] : [],
      );
    expect(answers).toEqual(["request-2", "request-3", "request-4"]);
  });

  it("that is not heeded costs the connection, and never the session", async () => {
    await limited({ maxMessagesPerSecond: 5 });
    const client = runtime.connect();
    const { payload } = await client.open();
    const job = (await client.submit("puppet")).payload.job_id;
    ping(client, 2_000);
    await client.settled();
    expect(client.line.closed?.code).toBe(CLOSE.beyondLimit);
    expect(runtime.puppet(job).ctx.signal.aborted).toBe(false);
    const back = runtime.connect();
    back.resume({ ...payload, last_event_seq: 0 });
    expect((await back.settled()).map(({ type }) => type)).toEqual(["session.welcome"]);
  });
});
