import { beforeEach, describe, expect, it } from "vitest";
import { CLOSE } from "../protocol/framing.ts";
import { ALL_FEATURES, refusals, theOne } from "./test-client.ts";
import { startTestRuntime, type TestRuntime } from "./test-runtime.ts";

let runtime: TestRuntime;

beforeEach(async () => {
  runtime = await startTestRuntime();
});

const helloOf = (fields: object): string =>
  JSON.stringify({
    arcp: "1.1",
    id: "request-1",
    type: "session.hello",
    payload: { auth: { token: "ann" }, capabilities: { features: [] } },
    ...fields,
  });

describe("the first frame", () => {
  it("may be a hello, which opens a session [arcp-6.1-bearer-token]", async () => {
    const client = runtime.connect();
    const welcome = await client.open();
    expect(welcome.payload.session_id).toMatch(/^sess_[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(client.line.closed).toBeUndefined();
  });

  it.each([
    ["is no JSON", "hello?"],
    ["is an array", "[]"],
    ["has no id", helloOf({ id: undefined })],
    ["is of an unknown type", helloOf({ type: "session.greet" })],
    ["is what only a runtime sends", helloOf({ type: "session.welcome" })],
    ["is a message of an open session", helloOf({ type: "session.ping", payload: { nonce: "n" } })],
    ["is a submission", helloOf({ type: "job.submit", payload: { agent: "echo" } })],
  ])("is answered and closes the connection when it %s [reading-first-frame]", async (_what, frame) => {
    const client = runtime.connect();
    client.line.send(frame);
    const request = frame.includes("request-1") ? "request-1" : undefined;
    expect(refusals(await client.settled())).toEqual([["INVALID_REQUEST", request]]);
    expect(client.line.closed?.code).toBe(CLOSE.invalidMessage);
  });

  it("has ten seconds [reading-first-frame]", async () => {
    const client = runtime.connect();
    expect(await client.after(9_999)).toEqual([]);
    expect(client.line.closed).toBeUndefined();
    expect(refusals(await client.after(1))).toEqual([["INVALID_REQUEST", undefined]]);
    expect(client.line.closed?.code).toBe(CLOSE.invalidMessage);
  });

  it("ends the wait for it", async () => {
    const client = runtime.connect();
    await client.open({ features: [] });
    expect(await client.after(60_000)).toEqual([]);
    expect(client.line.closed).toBeUndefined();
  });

  it("is not listened to after one that closed the connection", async () => {
    const client = runtime.connect();
    client.line.send("hello?");
    client.hello();
    expect((await client.settled()).map(({ type }) => type)).toEqual(["session.error"]);
  });

  it("comes once: a second hello is refused, and the session goes on", async () => {
    const client = runtime.connect();
    await client.open();
    const second = client.hello();
    expect(refusals(await client.settled())).toEqual([["INVALID_REQUEST", second]]);
    expect(client.line.closed).toBeUndefined();
  });
});

describe("versions", () => {
  it.each(["1.0", "1.1", "1.9"])("takes arcp %s and answers with 1.1 [reading-arcp-version]", async (arcp) => {
    const client = runtime.connect();
    client.line.send(helloOf({ arcp }));
    expect(theOne(await client.settled(), "session.welcome").arcp).toBe("1.1");
  });

  it.each([["2.0"], ["1"], [1.1], [undefined]])("refuses arcp %s [reading-arcp-version]", async (arcp) => {
    const client = runtime.connect();
    client.line.send(helloOf({ arcp }));
    expect(refusals(await client.settled())).toEqual([["INVALID_REQUEST", "request-1"]]);
    expect(client.line.closed?.code).toBe(CLOSE.invalidMessage);
  });
});

describe("authentication", () => {
  it("takes the token of the upgrade when the payload has none", async () => {
    const client = runtime.connect({ bearer: "ann" });
    await client.open({ token: null });
    const job = await client.submit("echo");
    const other = runtime.connect();
    await other.open({ token: "ann" });
    other.send("session.list_jobs");
    expect(theOne(await other.settled(), "session.jobs").payload.jobs).toMatchObject([{ job_id: job.payload.job_id }]);
  });

  it("prefers the payload's token to the upgrade's", async () => {
    const client = runtime.connect({ bearer: "ann" });
    client.hello({ token: "bad" });
    expect(refusals(await client.settled())).toEqual([["UNAUTHENTICATED", "request-1"]]);
  });

  it.each([
    ["a wrong token", "bad"],
    ["no token", null],
  ])("refuses %s and closes the connection [reading-failed-authentication-closes]", async (_what, token) => {
    const client = runtime.connect();
    const request = client.hello({ token });
    expect(refusals(await client.settled())).toEqual([["UNAUTHENTICATED", request]]);
    expect(client.line.closed?.code).toBe(CLOSE.unauthenticated);
  });

  it("never lets a frame after a refused hello through", async () => {
    const client = runtime.connect();
    client.hello({ token: "bad" });
    client.send("job.submit", { agent: "echo" });
    await client.settled();
    expect((await runtime.store.listJobs({ principals: ["tests/bad"], limit: 9 })).jobs).toEqual([]);
  });
});

describe("the welcome", () => {
  it("says who the runtime is, what it can do and how to come back [arcp-6.2-welcome-contents] [reading-correlation]", async () => {
    const client = runtime.connect();
    const request = client.hello();
    const welcome = theOne(await client.settled(), "session.welcome");
    expect(welcome.session_id).toBe(welcome.payload.session_id);
    expect(welcome.payload).toEqual({
      session_id: expect.stringMatching(/^sess_/),
      request_id: request,
      runtime: { name: "leasehold", version: expect.stringMatching(/^\d+\.\d+\.\d+/) },
      resume_token: expect.stringMatching(/^rt_[0-9a-f]{64}\.sess_/),
      resume_window_sec: 600,
      heartbeat_interval_sec: 30,
      capabilities: {
        encodings: ["json"],
        features: ALL_FEATURES,
        agents: expect.arrayContaining([{ name: "echo", versions: ["1.0.0"], default: "1.0.0" }]),
      },
    });
  });

  it("has the features both sides named, and passes over unknown ones [arcp-6.2-features-intersect]", async () => {
    const welcome = await runtime.connect().open({ features: ["x-other.thing", "subscribe", "progress", "subscribe"] });
    expect(welcome.payload.capabilities.features).toEqual(["subscribe", "progress"]);
  });

  it("has no features when the hello names none", async () => {
    const client = runtime.connect();
    client.line.send(helloOf({ payload: { auth: { token: "ann" } } }));
    expect(theOne(await client.settled(), "session.welcome").payload.capabilities.features).toEqual([]);
  });

  it("does not leave before the session is stored [law-commit-then-publish]", async () => {
    const client = runtime.connect();
    const welcome = await client.open();
    expect(await runtime.store.readSession(welcome.payload.session_id)).toMatchObject({ principal: "tests/ann" });
  });

  it("stores no resume token, only a hash of it [reading-resume-tokens-stored]", async () => {
    const welcome = await runtime.connect().open();
    const stored = await runtime.store.readSession(welcome.payload.session_id);
    expect(stored?.newestToken).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify(stored)).not.toContain(welcome.payload.resume_token.slice(3));
  });

  it("comes before the answers to frames sent ahead of it", async () => {
    const client = runtime.connect();
    client.hello();
    const ping = client.send("session.ping", { nonce: "early" });
    client.send("job.submit", { agent: "echo", input: 1 });
    const types = (await client.settled()).map(({ type }) => type);
    expect(types.slice(0, 3)).toEqual(["session.welcome", "session.pong", "job.accepted"]);
    expect(ping).toBe("request-2");
  });

  it("comes before the refusals of frames sent ahead of it, which are answered in their order", async () => {
    const client = runtime.connect();
    client.hello();
    client.line.send("?");
    client.send("job.submit", { agent: 7 });
    client.send("session.ping", { nonce: "early" });
    expect((await client.settled()).map(({ type }) => type)).toEqual([
      "session.welcome",
      "session.error",
      "session.error",
      "session.pong",
    ]);
  });

  it("is not waited for with more than a megabyte", async () => {
    const client = runtime.connect();
    client.hello();
    for (let count = 0; count < 3; count++) client.send("job.submit", { agent: "echo", input: "x".repeat(400_000) });
    await client.settled();
    expect(client.line.closed?.code).toBe(CLOSE.invalidMessage);
    expect((await runtime.store.listJobs({ principals: ["tests/ann"], limit: 9 })).jobs).toEqual([]);
  });

  it("is not waited for with more than 256 frames", async () => {
    const client = runtime.connect();
    client.hello();
    for (let count = 0; count < 257; count++) client.send("session.ping", { nonce: "n" });
    await client.settled();
    expect(client.line.closed?.code).toBe(CLOSE.invalidMessage);
  });
});
