import { beforeEach, describe, expect, it } from "vitest";
import { CLOSE } from "../protocol/framing.ts";
import { refusals, type TestClient, theOne } from "./test-client.ts";
import { startTestRuntime, type TestRuntime } from "./test-runtime.ts";

let runtime: TestRuntime;
let client: TestClient;
let session: string;

beforeEach(async () => {
  runtime = await startTestRuntime();
  client = runtime.connect();
  session = (await client.open()).payload.session_id;
});

describe("malformed frames in an open session", () => {
  it.each([
    ["no JSON", "{", undefined],
    ["no object", "3", undefined],
    ["without a type", '{"arcp":"1.1","id":"x"}', "x"],
    ["of an unknown type", '{"arcp":"1.1","id":"x","type":"job.explode"}', "x"],
    ["without a payload that is needed", '{"arcp":"1.1","id":"x","type":"job.submit"}', "x"],
    ["with a payload of the wrong type", '{"arcp":"1.1","id":"x","type":"job.submit","payload":{"agent":7}}', "x"],
    ["with a key of another object's", '{"arcp":"1.1","id":"x","type":"__proto__"}', "x"],
  ])("are answered when %s, and the session goes on [reading-malformed-answered]", async (_what, frame, request) => {
    client.line.send(frame);
    expect(refusals(await client.settled())).toEqual([["INVALID_REQUEST", request]]);
    expect(client.line.closed).toBeUndefined();
  });

  it("close the connection when eight come in a row [reading-malformed-answered]", async () => {
    for (let count = 0; count < 7; count++) client.line.send("?");
    expect(await client.settled()).toHaveLength(7);
    expect(client.line.closed).toBeUndefined();
    client.line.send("?");
    expect(await client.settled()).toHaveLength(1);
    expect(client.line.closed?.code).toBe(CLOSE.invalidMessage);
  });

  it("count anew after a good one", async () => {
    for (let round = 0; round < 3; round++) {
      for (let count = 0; count < 7; count++) client.line.send("?");
      client.send("session.ping", { nonce: "fine" });
    }
    await client.settled();
    expect(client.line.closed).toBeUndefined();
  });

  it("leave the session resumable when they closed the connection", async () => {
    const job = (await client.submit("puppet")).payload.job_id;
    for (let count = 0; count < 8; count++) client.line.send("?");
    await client.settled();
    expect(runtime.puppet(job).ctx.signal.aborted).toBe(false);
  });
});

describe("a refusal", () => {
  it("names code, message, retryable and the request [reading-refusal] [reading-correlation] [arcp-12-retryable-present]", async () => {
    const request = client.send("job.cancel", { job_id: "job_nowhere" });
    expect(theOne(await client.settled(), "session.error")).toMatchObject({
      session_id: session,
      payload: { code: "JOB_NOT_FOUND", message: expect.any(String), retryable: false, request_id: request },
    });
  });

  it("meets a message that names another session", async () => {
    const request = client.send("session.ping", { nonce: "n" }, { session_id: "sess_other" });
    expect(refusals(await client.settled())).toEqual([["INVALID_REQUEST", request]]);
  });

  it("does not meet one that names its own session, with fields nobody knows [arcp-5-ignore-unknown-fields] [reading-unknown-fields]", async () => {
    client.send("session.ping", { nonce: "n", mood: "fine" }, { session_id: session, priority: 9 });
    expect(theOne(await client.settled(), "session.pong").payload.ping_nonce).toBe("n");
  });
});

describe("features outside the intersection [reading-feature-refused] [arcp-6.2-feature-outside-unused]", () => {
  it.each([
    ["session.list_jobs", {}],
    ["session.ack", { last_processed_seq: 0 }],
    ["job.subscribe", { job_id: "job_any" }],
    ["job.unsubscribe", { job_id: "job_any" }],
  ])("%s is refused", async (type, payload) => {
    const bare = runtime.connect();
    await bare.open({ features: [] });
    const request = bare.send(type, payload);
    expect(refusals(await bare.settled())).toEqual([["INVALID_REQUEST", request]]);
  });

  it("a ping is answered all the same: it costs nothing", async () => {
    const bare = runtime.connect();
    await bare.open({ features: [] });
    bare.send("session.ping", { nonce: "n" });
    expect(theOne(await bare.settled(), "session.pong").payload.ping_nonce).toBe("n");
  });
});

describe("closing", () => {
  it.each(["session.close", "session.bye"])(
    "%s is acknowledged, then the connection closes [arcp-6.7-closed] [reading-close]",
    async (type) => {
      const request = client.send(type);
      expect(theOne(await client.settled(), "session.closed").payload.request_id).toBe(request);
      expect(client.line.closed?.code).toBe(CLOSE.normal);
    },
  );

  it("leaves jobs running and the session resumable [arcp-6.7-jobs-continue] [reading-close]", async () => {
    const opened = runtime.connect();
    const welcome = await opened.open();
    const job = (await opened.submit("puppet")).payload.job_id;
    opened.send("session.close");
    await opened.settled();
    await runtime.puppet(job).ctx.log("alone");
    runtime.puppet(job).finish("done");

    const back = runtime.connect();
    back.resume({ ...welcome.payload, last_event_seq: 0 });
    expect((await back.settled()).map(({ type }) => type)).toEqual(["session.welcome", "job.event", "job.result"]);
  });
});

describe("a runtime that closes", () => {
  it("closes its connections and leaves no timer behind", async () => {
    await client.submit("puppet", {}, { max_runtime_sec: 900 });
    const silent = runtime.connect();
    const parked = runtime.connect();
    await parked.open();
    await parked.drop();
    await runtime.close();
    expect([client.line.closed?.code, silent.line.closed?.code]).toEqual([CLOSE.goingAway, CLOSE.goingAway]);
    expect(runtime.world.pendingTimers).toBe(0);
  });
});

describe("a token that was revoked or has expired", () => {
  it("takes its live connections with it, and no others [reading-revoked-token-closes]", async () => {
    const other = runtime.connect();
    await other.open({ token: "bob" });
    runtime.revoked.add("ann");
    await runtime.world.advance(10_000);
    expect(refusals(client.line.take().map((text) => JSON.parse(text)))).toEqual([["UNAUTHENTICATED", undefined]]);
    expect(client.line.closed?.code).toBe(CLOSE.unauthenticated);
    expect(other.line.closed).toBeUndefined();
  });

  it("touches no job", async () => {
    const job = (await client.submit("puppet")).payload.job_id;
    runtime.revoked.add("ann");
    await runtime.world.advance(10_000);
    expect(runtime.puppet(job).ctx.signal.aborted).toBe(false);
  });

  it("closes nothing while tokens cannot be read", async () => {
    runtime.tokensAreUnreadable = true;
    await runtime.world.advance(20_000);
    expect(client.line.closed).toBeUndefined();
    expect(runtime.errors.splice(0)).not.toEqual([]);
    runtime.tokensAreUnreadable = false;
  });
});
