import { beforeEach, describe, expect, it } from "vitest";
import { createMemoryStore, type MemoryStore } from "../../stores/memory/memory-store.ts";
import { createFaultyStore, type FaultyStore } from "../../testing/faulty-store.ts";
import { ALL_FEATURES, isSequenced, ofType, refusals, type TestClient, theOne } from "../test-client.ts";
import { startTestRuntime, type TestRuntime } from "../test-runtime.ts";
import { streamProblems } from "../test-stream-laws.ts";

let inner: MemoryStore;
let store: FaultyStore;
let runtime: TestRuntime;
let client: TestClient;

beforeEach(async () => {
  inner = createMemoryStore();
  store = createFaultyStore(inner);
  runtime = await startTestRuntime({ store });
  client = runtime.connect();
  await client.open();
});

async function opened(features: readonly string[] = ALL_FEATURES, token = "ann"): Promise<TestClient> {
  const other = runtime.connect();
  await other.open({ features, token });
  return other;
}

const answersOf = (received: Awaited<ReturnType<TestClient["settled"]>>) =>
  received
    .filter(({ type }) => type === "job.accepted" || type === "session.error")
    .map(({ payload }) => ("request_id" in payload ? payload.request_id : undefined));

describe("answers", () => {
  it("leave in the order of the requests, whatever becomes of each [reading-reply-order]", async () => {
    const requests = [
      client.send("job.submit", { agent: "slow-check", input: { checkMs: 50 } }),
      client.send("job.submit", { agent: "nobody" }),
      client.send("job.submit", { agent: "echo", input: 1 }),
      client.send("job.submit", { agent: "slow-check", input: { checkMs: 20, bad: true } }),
      client.send("job.submit", { agent: "echo", lease_request: { "fs.destroy": ["/"] } }),
      client.send("job.submit", { agent: "echo" }, { session_id: "sess_other" }),
      client.send("job.submit", { agent: 7 }),
      client.send("job.submit", { agent: "echo", input: 2, idempotency_key: "k" }),
      client.send("job.submit", { agent: "echo", input: 2, idempotency_key: "k" }),
      client.send("job.submit", { agent: "echo", input: 3, idempotency_key: "k" }),
    ];
    const received = await client.after(100);
    expect(answersOf(received)).toEqual(requests);
    expect(refusals(received).map(([code]) => code)).toEqual([
      "AGENT_NOT_AVAILABLE",
      "INVALID_REQUEST",
      "INVALID_REQUEST",
      "INVALID_REQUEST",
      "INVALID_REQUEST",
      "DUPLICATE_KEY",
    ]);
  });

  it("come before the first event of the job they name, also behind a slow one", async () => {
    client.send("job.submit", { agent: "slow-check", input: { checkMs: 50 } });
    client.send("job.submit", { agent: "echo" });
    const running = (await client.submit("puppet").catch((error: Error) => error)) as Error;
    expect(running.message).toContain("received: nothing");
    const received = await client.after(100);
    for (const { job_id } of ofType(received, "job.accepted")) {
      expect(received.find((message) => message.job_id === job_id)?.type).toBe("job.accepted");
    }
    const events = received.filter(isSequenced);
    expect(events).toHaveLength(4);
    expect(streamProblems(events)).toEqual([]);
  });

  it("do not hold up events of other jobs", async () => {
    const job = (await client.submit("puppet")).payload.job_id;
    client.send("job.submit", { agent: "slow-check", input: { checkMs: 50 } });
    client.send("job.submit", { agent: "echo" });
    await runtime.puppet(job).ctx.log("meanwhile");
    expect((await client.settled()).map(({ job_id }) => job_id)).toEqual([job]);
    await runtime.world.advance(50);
  });

  it("that wait when the connection drops hold up nothing after a resume", async () => {
    const opening = runtime.connect();
    const welcome = await opening.open();
    opening.send("job.submit", { agent: "slow-check", input: { checkMs: 5_000 } });
    opening.send("job.submit", { agent: "echo" });
    await runtime.world.settle();
    await opening.drop();
    const back = runtime.connect();
    back.resume({ ...welcome.payload, last_event_seq: 0 });
    const events = (await back.settled()).filter(isSequenced);
    expect(events.map(({ type }) => type)).toEqual(["job.event", "job.result"]);
    const later = (await back.after(5_000)).filter(isSequenced);
    expect(later.map(({ type }) => type)).toEqual(["job.event", "job.result"]);
    expect(streamProblems([...events, ...later])).toEqual([]);
  });

  it("carry the id of their request [reading-correlation]", async () => {
    const request = client.send("job.submit", { agent: "echo" });
    expect(theOne(await client.settled(), "job.accepted").payload.request_id).toBe(request);
  });

  it("do not leave before the job is durable [law-commit-then-publish]", async () => {
    store.hold();
    client.send("job.submit", { agent: "echo" });
    expect(await client.settled()).toEqual([]);
    store.release();
    expect((await client.settled()).map(({ type }) => type)).toEqual(["job.accepted", "job.event", "job.result"]);
  });

  it("say INTERNAL_ERROR, retryable, when the job could not be stored, and no job exists then [arcp-12-internal-retryable]", async () => {
    store.failNext();
    client.send("job.submit", { agent: "echo", idempotency_key: "k" });
    expect(theOne(await client.settled(), "session.error").payload).toMatchObject({
      code: "INTERNAL_ERROR",
      retryable: true,
    });
    expect((await inner.listJobs({ principals: ["tests/ann"], limit: 9 })).jobs).toEqual([]);
    runtime.errors.length = 0;
    expect((await client.submit("echo", undefined, { idempotency_key: "k" })).payload.job_id).toMatch(/^job_/);
    await runtime.world.advance(1_000);
  });
});

describe("an acceptance", () => {
  it("echoes lease, constraints and counters, the resolved agent and the trace [arcp-7.1-accepted-echoes] [arcp-7.5-resolved-shown] [arcp-11-carried]", async () => {
    const expires_at = "2026-01-01T01:00:00Z";
    client.send(
      "job.submit",
      {
        agent: "echo",
        lease_request: { "fs.read": ["/workspace/**"], "cost.budget": ["USD:5.00", "credits:100"] },
        lease_constraints: { expires_at },
      },
      { trace_id: "4bf92f3577b34da6a3ce929d0e0e4736" },
    );
    const accepted = theOne(await client.settled(), "job.accepted");
    expect(accepted.payload).toMatchObject({
      agent: "echo@1.0.0",
      lease: { "fs.read": ["/workspace/**"], "cost.budget": ["USD:5.00", "credits:100"] },
      lease_constraints: { expires_at },
      budget: { USD: 5, credits: 100 },
      accepted_at: "2026-01-01T00:00:00.000Z",
      trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
    });
    expect([accepted.trace_id, accepted.job_id]).toEqual([accepted.payload.trace_id, accepted.payload.job_id]);
  });

  it("has an empty lease, no constraints and no budget when none was asked for [arcp-7.1-no-constraints-no-expiry]", async () => {
    const { payload } = await client.submit("echo");
    expect(payload.lease).toEqual({});
    expect(payload).not.toHaveProperty("lease_constraints");
    expect(payload).not.toHaveProperty("budget");
  });

  it("puts the lesser of budget and ceiling in force [reading-max-budget]", async () => {
    const { payload } = await client.submit("echo", 1, {
      lease_request: { "cost.budget": ["USD:5"] },
      lease_constraints: { max_budget: "USD:2.50" },
    });
    expect(payload.budget).toEqual({ USD: 2.5 });
  });

  it("takes a traceparent, and draws a trace id where none was sent [reading-trace-id]", async () => {
    client.send(
      "job.submit",
      { agent: "echo" },
      { trace_id: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" },
    );
    expect(theOne(await client.settled(), "job.accepted").trace_id).toBe("4bf92f3577b34da6a3ce929d0e0e4736");
    expect((await client.submit("echo")).trace_id).toMatch(/^[0-9a-f]{32}$/);
  });

  it("resolves a bare name to the advertised default, and an exact version to itself [arcp-7.5-default-version]", async () => {
    expect((await client.submit("echo")).payload.agent).toBe("echo@1.0.0");
    expect((await client.submit("echo@1.0.0")).payload.agent).toBe("echo@1.0.0");
  });
});

describe("refusals", () => {
  it.each([
    ["agent_versions", { agent: "echo@1.0.0" }],
    ["cost.budget", { agent: "echo", lease_request: { "cost.budget": ["USD:1"] } }],
    ["cost.budget", { agent: "echo", lease_constraints: { max_budget: "USD:1" } }],
    ["model.use", { agent: "echo", lease_request: { "model.use": ["tier-fast/*"] } }],
    ["lease_expires_at", { agent: "echo", lease_constraints: { expires_at: "2030-01-01T00:00:00Z" } }],
  ])("what uses %s needs it negotiated [reading-feature-refused]", async (feature, payload) => {
    const without = await opened(ALL_FEATURES.filter((other) => other !== feature));
    without.send("job.submit", payload);
    expect(theOne(await without.settled(), "session.error").payload).toMatchObject({
      code: "INVALID_REQUEST",
      details: { feature },
    });
    client.send("job.submit", payload);
    expect(ofType(await client.settled(), "job.accepted")).toHaveLength(1);
  });

  it.each([
    ["lease_request", { lease_request: { "fs.erase": ["/**"] } }],
    ["lease_constraints", { lease_constraints: { expires_in: "1h" } }],
    ["lease_request", { lease_request: { __proto__: null, constructor: ["x"] } }],
  ])("an unknown key in %s is refused rather than dropped [reading-unknown-fields]", async (_where, fields) => {
    client.send("job.submit", { agent: "echo", ...fields });
    expect(refusals(await client.settled())).toEqual([["INVALID_REQUEST", "request-2"]]);
  });

  it("an unknown version is AGENT_VERSION_NOT_AVAILABLE, an unknown agent AGENT_NOT_AVAILABLE [arcp-7.5-exact-version] [arcp-12-codes]", async () => {
    client.send("job.submit", { agent: "echo@9.9.9" });
    client.send("job.submit", { agent: "nobody" });
    expect(refusals(await client.settled()).map(([code]) => code)).toEqual([
      "AGENT_VERSION_NOT_AVAILABLE",
      "AGENT_NOT_AVAILABLE",
    ]);
  });

  it.each(["", "Echo", "echo@", "echo@1.0@2", "-echo", "echo 1"])(
    "%j names no agent [arcp-7.5-grammar]",
    async (agent) => {
      client.send("job.submit", { agent });
      expect(refusals(await client.settled())).toEqual([["INVALID_REQUEST", "request-2"]]);
    },
  );

  it("an expiry in the past is refused [arcp-9.5-invalid-refused]", async () => {
    client.send("job.submit", { agent: "echo", lease_constraints: { expires_at: "2025-12-31T23:59:59Z" } });
    expect(refusals(await client.settled())).toEqual([["INVALID_REQUEST", "request-2"]]);
  });

  it.each([0, -1, "60", 1e12])("max_runtime_sec %j is refused", async (max_runtime_sec) => {
    client.send("job.submit", { agent: "echo", max_runtime_sec });
    expect(refusals(await client.settled())).toEqual([["INVALID_REQUEST", "request-2"]]);
  });
});

describe("a repeated key in the same session [reading-reattach-same-session] [arcp-7.2-same-acceptance]", () => {
  const withKey = { agent: "echo", input: { a: 1, b: 2 }, idempotency_key: "k" };

  it("gets the same acceptance but for the request, and no second stream", async () => {
    client.send("job.submit", withKey);
    const [first] = ofType(await client.settled(), "job.accepted");
    await runtime.world.advance(5_000);
    const request = client.send("job.submit", { ...withKey, input: { b: 2, a: 1 } });
    const received = await client.settled();
    expect(received.map(({ type }) => type)).toEqual(["job.accepted"]);
    expect(theOne(received, "job.accepted").payload).toEqual({ ...first?.payload, request_id: request });
  });

  it("runs one job for many submissions at once [reading-idempotency-scope]", async () => {
    const other = await opened();
    for (let count = 0; count < 5; count++) {
      client.send("job.submit", withKey);
      other.send("job.submit", withKey);
    }
    await runtime.world.settle();
    const accepted = [...ofType(client.take(), "job.accepted"), ...ofType(other.take(), "job.accepted")];
    expect(accepted).toHaveLength(10);
    expect(new Set(accepted.map(({ job_id }) => job_id)).size).toBe(1);
    expect((await inner.listJobs({ principals: ["tests/ann"], limit: 9 })).jobs).toHaveLength(1);
  });

  it("is a conflict with other parameters [arcp-7.2-duplicate-key]", async () => {
    await client.submit("echo", { a: 1 }, { idempotency_key: "k" });
    for (const other of [{ input: { a: 2 } }, { agent: "puppet" }, { max_runtime_sec: 5 }, { lease_request: {} }]) {
      client.send("job.submit", { agent: "echo", input: { a: 1 }, idempotency_key: "k", ...other });
      expect(refusals(await client.settled()).map(([code]) => code)).toEqual(["DUPLICATE_KEY"]);
    }
  });

  it("belongs to its principal alone [reading-idempotency-scope] [law-principals-apart]", async () => {
    const mine = await client.submit("echo", { a: 1 }, { idempotency_key: "k" });
    const bob = await opened(ALL_FEATURES, "bob");
    const his = await bob.submit("echo", { a: 2 }, { idempotency_key: "k" });
    expect(his.payload.job_id).not.toBe(mine.payload.job_id);
  });

  it("is tried again by whoever waited for a submission that failed", async () => {
    store.hold();
    client.send("job.submit", withKey);
    client.send("job.submit", withKey);
    await runtime.world.settle();
    store.failNext();
    store.release();
    const received = await client.settled();
    expect(received.slice(0, 2).map(({ type }) => type)).toEqual(["session.error", "job.accepted"]);
    runtime.errors.length = 0;
    await runtime.world.advance(1_000);
  });
});

describe("a repeated key in another session [reading-reattach-other-session]", () => {
  it("gets the acceptance, then the full history, then live events", async () => {
    const job = (await client.submit("puppet", 1, { idempotency_key: "k" })).payload.job_id;
    await runtime.puppet(job).ctx.log("before");
    await runtime.world.settle();
    const other = await opened();
    other.send("job.submit", { agent: "puppet", input: 1, idempotency_key: "k" });
    const received = await other.settled();
    expect(received.map(({ type }) => type)).toEqual(["job.accepted", "job.event"]);
    runtime.puppet(job).finish();
    expect((await other.settled()).map(({ type }) => type)).toEqual(["job.result"]);
    expect((await client.settled()).map(({ type }) => type)).toEqual(["job.event", "job.result"]);
  });

  it("gets both for a job that has ended", async () => {
    await client.submit("echo", 1, { idempotency_key: "k" });
    const other = await opened();
    other.send("job.submit", { agent: "echo", input: 1, idempotency_key: "k" });
    const received = await other.settled();
    expect(received.map(({ type }) => type)).toEqual(["job.accepted", "job.event", "job.result"]);
    expect(streamProblems(received.filter(isSequenced))).toEqual([]);
  });

  it("gives no history a second time to a session that does not see all kinds", async () => {
    const job = (await client.submit("puppet", 1, { idempotency_key: "k" })).payload.job_id;
    const { ctx, finish } = runtime.puppet(job);
    // Each in a commit of its own: those that are hidden leave gaps between the places.
    for (const current of [1, 2]) {
      await ctx.progress({ current });
      await runtime.world.settle();
      await ctx.log("seen");
      await runtime.world.settle();
    }
    await ctx.progress({ current: 3 });
    await runtime.world.settle();
    finish();
    await runtime.world.settle();
    const other = await opened([]);
    const again = async () => {
      other.send("job.submit", { agent: "puppet", input: 1, idempotency_key: "k" });
      return (await other.settled()).map(({ type }) => type);
    };
    expect(await again()).toEqual(["job.accepted", "job.event", "job.event", "job.result"]);
    expect(await again()).toEqual(["job.accepted"]);
  });

  it("gives the right to cancel [reading-who-may-cancel]", async () => {
    const job = (await client.submit("puppet", 1, { idempotency_key: "k" })).payload.job_id;
    const other = await opened([]);
    await other.submit("puppet", 1, { idempotency_key: "k" });
    other.send("job.cancel", { job_id: job });
    expect((await other.settled()).map(({ type }) => type)).toEqual(["job.cancelled", "job.error"]);
  });

  it("gives the right to cancel to one that only subscribed before, and no second stream", async () => {
    const job = (await client.submit("puppet", 1, { idempotency_key: "k" })).payload.job_id;
    await runtime.puppet(job).ctx.log("before");
    await runtime.world.settle();
    const other = await opened(["subscribe"]);
    other.send("job.subscribe", { job_id: job, history: true });
    expect((await other.settled()).map(({ type }) => type)).toEqual(["job.subscribed", "job.event"]);
    other.send("job.cancel", { job_id: job });
    expect(refusals(await other.settled()).map(([code]) => code)).toEqual(["PERMISSION_DENIED"]);
    other.send("job.submit", { agent: "puppet", input: 1, idempotency_key: "k" });
    expect((await other.settled()).map(({ type }) => type)).toEqual(["job.accepted"]);
    other.send("job.cancel", { job_id: job });
    expect((await other.settled()).map(({ type }) => type)).toEqual(["job.cancelled", "job.error"]);
  });

  it("is refused whole when the re-attachment cannot be stored", async () => {
    await client.submit("echo", 1, { idempotency_key: "k" });
    const other = await opened();
    store.failNext();
    other.send("job.submit", { agent: "echo", input: 1, idempotency_key: "k" });
    expect(refusals(await other.settled())).toEqual([["INTERNAL_ERROR", "request-2"]]);
    runtime.errors.length = 0;
  });

  it("finds the job after a restart [reading-idempotency-scope]", async () => {
    const first = (await client.submit("echo", 1, { idempotency_key: "k" })).payload;
    await runtime.close();
    runtime = await runtime.restartOn(createMemoryStore(inner.snapshot()));
    const other = await opened();
    const again = await other.submit("echo", 1, { idempotency_key: "k" });
    expect(again.payload).toEqual({ ...first, request_id: again.payload.request_id });
  });

  it("finds the job before expiry and version are looked at [reading-reattach-first]", async () => {
    const expiring = { lease_constraints: { expires_at: "2026-01-01T00:10:00Z" }, idempotency_key: "k" };
    const first = (await client.submit("echo@1.0.0", 1, expiring)).payload;
    await runtime.world.advance(3_600_000);
    const other = await opened();
    const again = await other.submit("echo@1.0.0", 1, expiring);
    expect(again.payload).toEqual({ ...first, request_id: again.payload.request_id });
  });
});

describe("deadlines", () => {
  it("end a job past its max_runtime_sec with TIMEOUT, timed_out [arcp-7.3-terminal-states]", async () => {
    const job = (await client.submit("puppet", 1, { max_runtime_sec: 2.5 })).payload.job_id;
    expect(await client.after(2_499)).toEqual([]);
    const error = theOne(await client.after(1), "job.error");
    expect(error).toMatchObject({
      job_id: job,
      payload: { code: "TIMEOUT", final_status: "timed_out", retryable: true },
    });
    expect(runtime.puppet(job).ctx.signal.aborted).toBe(true);
  });

  it("end a job past its lease with LEASE_EXPIRED, error, not retryable [arcp-7.3-authority-errors] [arcp-12-authority-not-retryable]", async () => {
    await client.submit("puppet", 1, { lease_constraints: { expires_at: "2026-01-01T00:00:05Z" } });
    expect(theOne(await client.after(10_000), "job.error").payload).toMatchObject({
      code: "LEASE_EXPIRED",
      final_status: "error",
      retryable: false,
    });
  });

  it("that pass before the job was ever durable still reach the submitter, after the acceptance", async () => {
    store.hold();
    client.send("job.submit", { agent: "echo", input: "first" });
    await runtime.world.settle();
    client.send("job.submit", { agent: "puppet", max_runtime_sec: 0.001 });
    await runtime.world.advance(5);
    store.release();
    const received = await client.settled();
    const late = ofType(received, "job.accepted")[1]?.payload.job_id;
    expect(received.filter(({ job_id }) => job_id === late).map(({ type }) => type)).toEqual([
      "job.accepted",
      "job.error",
    ]);
    expect(streamProblems(received.filter(isSequenced))).toEqual([]);
  });
});
