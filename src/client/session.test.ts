import { expect, it } from "vitest";
import { FEATURES } from "../protocol/features.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { type ConnectOptions, connect } from "./connect.ts";
import type { Job } from "./job.ts";
import { collect, HOUR_MS, open, seqs, submitEcho, upTo } from "./test-rig.ts";
import { ScriptedRuntime } from "./test-runtime.ts";

async function refused(options: Partial<ConnectOptions>, prepare: (runtime: ScriptedRuntime) => void = () => {}) {
  const world = createFakeWorld();
  const runtime = new ScriptedRuntime(world);
  prepare(runtime);
  const connecting = connect("ws://runtime", { token: "secret", world, webSocket: runtime.connect, ...options });
  const outcome = connecting.then(
    () => "connected",
    (error: unknown) => error,
  );
  await world.advance(HOUR_MS);
  expect(world.pendingTimers).toBe(0);
  expect(runtime.sockets.every((socket) => !socket.isOpen)).toBe(true);
  return { error: await outcome, runtime };
}

it("connects, submits, follows the events and gets the result", async () => {
  const rig = await open({ clientName: "test" });
  const { runtime, session } = rig;
  const { payload } = runtime.sent("session.hello")[0] ?? {};
  expect(payload?.client?.name).toBe("test");
  expect(payload?.capabilities.features).not.toContain("provisioned_credentials");
  expect(session.features).toContain("ack");
  expect(session.agents).toEqual([{ name: "echo", versions: ["1.0.0"], default: "1.0.0" }]);

  const expiresAt = new Date(rig.world.clock.now() + HOUR_MS);
  const submitting = session.submit(
    "echo",
    { n: 1 },
    {
      lease: { "fs.read": ["/workspace/**"] },
      budget: { USD: "5.00" },
      expiresAt,
      maxRuntimeSec: 60,
      idempotencyKey: "mine",
    },
  );
  const job = await rig.settled(submitting);
  expect(runtime.sent("job.submit")[0]?.payload).toEqual({
    agent: "echo",
    input: { n: 1 },
    lease_request: { "fs.read": ["/workspace/**"], "cost.budget": ["USD:5.00"] },
    lease_constraints: { expires_at: expiresAt.toISOString() },
    idempotency_key: "mine",
    max_runtime_sec: 60,
  });
  expect(job).toMatchObject({ agent: "echo@1.0.0", status: "pending", idempotencyKey: "mine" });

  const { events, end } = collect(job);
  runtime.emit(job.id, "log", { level: "info", message: "hello" });
  runtime.emit(job.id, "metric", { name: "cost.budget.remaining", value: 4.5, unit: "USD" });
  await rig.world.settle();
  expect(job.status).toBe("running");
  expect(job.budget).toEqual({ USD: 4.5 });
  runtime.succeed(job.id, { result: { ok: true } });
  expect(await rig.settled(job.result())).toEqual({ ok: true });
  expect(await end).toBe("end");
  expect(events).toMatchObject([
    { kind: "log", seq: 1, jobSeq: 1, body: { level: "info", message: "hello" } },
    { kind: "metric", seq: 2, jobSeq: 2, body: { name: "cost.budget.remaining" } },
  ]);
  expect(job.status).toBe("success");
});

it("puts a streamed result together [arcp-8.4-assembly]", async () => {
  const rig = await open();
  const text = await submitEcho(rig);
  const bytes = await submitEcho(rig);
  const lossy = await submitEcho(rig);
  const chunk = (job: Job, chunkSeq: number, data: string, encoding: string, more: boolean): void =>
    rig.runtime.emit(job.id, "result_chunk", { result_id: "res_1", chunk_seq: chunkSeq, data, encoding, more });
  chunk(text, 0, "one ", "utf8", true);
  chunk(text, 1, "two", "utf8", false);
  rig.runtime.succeed(text.id, { result_id: "res_1", result_size: 7 });
  chunk(bytes, 0, btoa("\x00\xff"), "base64", false);
  rig.runtime.succeed(bytes.id, { result_id: "res_1", result_size: 2 });
  chunk(lossy, 1, "two", "utf8", false);
  rig.runtime.succeed(lossy.id, { result_id: "res_1", result_size: 7 });
  expect(await rig.settled(text.result())).toBe("one two");
  expect(await bytes.result()).toEqual(Uint8Array.of(0, 255));
  await expect(lossy.result()).rejects.toMatchObject({ code: "RESULT_INCOMPLETE" });
  expect(lossy.status).toBe("success");
});

it("gives each failure to the call it belongs to", async () => {
  const rig = await open();
  const fine = await submitEcho(rig);
  const unobserved = rig.session.submit("nobody", null);
  const failed = await submitEcho(rig);
  rig.runtime.end(failed.id, "timed_out", {
    code: "TIMEOUT",
    message: "too long",
    retryable: true,
    details: { after: 5 },
  });
  await expect(rig.settled(failed.result())).rejects.toMatchObject({
    name: "JobError",
    code: "TIMEOUT",
    retryable: true,
    finalStatus: "timed_out",
    details: { after: 5 },
    jobId: failed.id,
  });
  await expect(unobserved).rejects.toMatchObject({ name: "RequestError", code: "AGENT_NOT_AVAILABLE" });
  await expect(rig.settled(rig.session.subscribe("job_none"))).rejects.toMatchObject({ code: "JOB_NOT_FOUND" });
  rig.runtime.succeed(fine.id, { result: 1 });
  expect(await rig.settled(fine.result())).toBe(1);
});

it("resumes after a drop: every event once, in order, with the newest token [arcp-6.3-client-presents-position]", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  const { events, end } = collect(job);
  for (let cycle = 0; cycle < 3; cycle++) {
    rig.runtime.emit(job.id, "log", { level: "info", message: "seen" });
    await rig.world.settle();
    rig.runtime.emit(job.id, "log", { level: "info", message: "on the way" });
    rig.runtime.drop();
    rig.runtime.emit(job.id, "log", { level: "info", message: "missed" });
    await rig.wait();
  }
  rig.runtime.succeed(job.id, { result: "done" });
  expect(await rig.settled(job.result())).toBe("done");
  expect(await end).toBe("end");
  expect(seqs(events)).toEqual(upTo(9));
  expect(rig.runtime.sent("session.resume").map(({ payload }) => payload.last_event_seq)).toEqual([1, 4, 7]);
});

it("is not locked out by a welcome that is lost, however often", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  let losses = 3;
  rig.runtime.beforeSend = ({ type }) => type !== "session.welcome" || losses-- <= 0;
  rig.runtime.drop();
  await rig.wait();
  expect(losses).toBe(-1);
  rig.runtime.succeed(job.id, { result: "done" });
  expect(await rig.settled(job.result())).toBe("done");
});

it("runs a job once when its acceptance is lost, and loses none of its events [reading-client-sends-key]", async () => {
  const rig = await open();
  let losses = 2;
  rig.runtime.beforeSend = ({ type }) => type !== "job.accepted" || losses-- <= 0;
  const submitting = rig.session.submit("echo", null);
  await rig.world.settle();
  const [jobId = ""] = rig.runtime.jobs.keys();
  rig.runtime.emit(jobId, "log", { level: "info", message: "before anyone knew" });
  await rig.wait();
  const job = await submitting;
  const { events, end } = collect(job);
  rig.runtime.succeed(jobId, { result: 1 });
  expect(await rig.settled(job.result())).toBe(1);
  expect(await end).toBe("end");
  expect(seqs(events)).toEqual([1]);
  expect(rig.runtime.jobs.size).toBe(1);
  expect(new Set(rig.runtime.sent("job.submit").map(({ payload }) => payload.idempotency_key)).size).toBe(1);
});

it("gets a job whole whose acceptance and end were both replayed", async () => {
  const rig = await open();
  let losses = 1;
  rig.runtime.beforeSend = ({ type }) => type !== "job.accepted" || losses-- <= 0;
  const submitting = rig.session.submit("echo", null);
  await rig.world.settle();
  const [jobId = ""] = rig.runtime.jobs.keys();
  rig.runtime.emit(jobId, "log", { level: "info", message: "early" });
  rig.runtime.succeed(jobId, { result: "early too" });
  await rig.wait();
  const job = await submitting;
  expect(await job.result()).toBe("early too");
  const { events, end } = collect(job);
  expect(await end).toBe("end");
  expect(seqs(events)).toEqual([1]);
});

it("sends what was asked while there was no connection, and asks again what was not answered", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  rig.runtime.drop();
  const submitting = rig.session.submit("echo", 2);
  const listing = rig.session.jobs().page();
  const cancelling = job.cancel("enough");
  let losses = 1;
  rig.runtime.beforeSend = ({ type }) => type !== "job.cancelled" || losses-- <= 0;
  await rig.wait();
  expect((await submitting).id).not.toBe(job.id);
  expect((await listing).jobs).toHaveLength(2);
  await cancelling;
  expect(rig.runtime.sent("job.cancel").map(({ payload }) => payload)).toEqual(
    Array.from({ length: 2 }, () => ({ job_id: job.id, reason: "enough" })),
  );
  await expect(job.result()).rejects.toMatchObject({ code: "CANCELLED", finalStatus: "cancelled" });
});

it("does not fight for a session that another connection has resumed [reading-resume-supersedes]", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  const { end } = collect(job);
  const connections = rig.runtime.sockets.length;
  rig.runtime.drop(4409);
  await expect(rig.settled(job.result())).rejects.toMatchObject({ name: "SessionError", code: "SUPERSEDED" });
  expect(await end).toBe("SUPERSEDED");
  await expect(rig.session.submit("echo", null)).rejects.toMatchObject({ code: "SUPERSEDED" });
  await rig.wait(HOUR_MS);
  expect(rig.runtime.sockets).toHaveLength(connections);
  expect(rig.world.pendingTimers).toBe(0);
});

it("ends when the runtime no longer takes the token", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  rig.runtime.drop(4401);
  await expect(rig.settled(job.result())).rejects.toMatchObject({ code: "UNAUTHENTICATED", retryable: false });
  expect(rig.world.pendingTimers).toBe(0);
});

it("goes on in another session when the old one's stream is gone, without repeating an event", async () => {
  const rig = await open();
  const own = await submitEcho(rig);
  const asked = await submitEcho(rig);
  const elsewhere = await submitEcho(rig);
  const jobs = [own, asked, elsewhere].map((job) => ({ job, ...collect(job) }));
  for (const { job } of jobs) rig.runtime.emit(job.id, "log", { level: "info", message: "old" });
  await rig.world.settle();
  const before = rig.session.id;
  rig.runtime.drop();
  rig.runtime.expireSessions();
  for (const { job } of jobs) rig.runtime.emit(job.id, "log", { level: "info", message: "away" });
  const cancelling = asked.cancel();
  await rig.wait();
  expect(rig.session.id).not.toBe(before);
  await cancelling;
  await expect(asked.result()).rejects.toMatchObject({ code: "CANCELLED" });
  for (const job of [own, elsewhere]) {
    rig.runtime.emit(job.id, "log", { level: "info", message: "new" });
    rig.runtime.succeed(job.id, { result: job.id });
  }
  expect(await rig.settled(own.result())).toBe(own.id);
  expect(await elsewhere.result()).toBe(elsewhere.id);
  expect(await Promise.all(jobs.map(({ end }) => end))).toEqual(["end", "end", "end"]);
  expect(jobs.map(({ events }) => seqs(events))).toEqual([upTo(3), upTo(2), upTo(3)]);
  expect(rig.runtime.jobs.size).toBe(3);
});

it.each([
  ["subscribe", FEATURES, []],
  ["submit again", FEATURES.filter((feature) => feature !== "subscribe"), ["cancelled"]],
])(
  "fails a job that the runtime keeps no more, and does not leave a second one running: %s",
  async (_way, features, left) => {
    const rig = await open({ features });
    rig.runtime.features = features;
    rig.runtime.drop();
    rig.runtime.expireSessions();
    await rig.wait();
    const job = await submitEcho(rig);
    const { end } = collect(job);
    rig.runtime.drop();
    rig.runtime.expireSessions();
    rig.runtime.forgetJobs();
    await rig.wait();
    await expect(job.result()).rejects.toMatchObject({ name: "FollowError", code: "JOB_NOT_FOUND", jobId: job.id });
    expect(await end).toBe("JOB_NOT_FOUND");
    expect([...rig.runtime.jobs.values()].map(({ status }) => status)).toEqual(left);
  },
);

it("follows a subscribed job into another session from where it was", async () => {
  const rig = await open();
  const { id } = await submitEcho(rig);
  rig.runtime.emit(id, "log", { level: "info", message: "1" });
  const watching = await rig.settled(
    connect("ws://runtime", { token: "secret", world: rig.world, webSocket: rig.runtime.connect }),
  );
  const job = await rig.settled(watching.subscribe(id, { history: true }));
  expect(await rig.settled(watching.subscribe(id))).toBe(job);
  const { events, end } = collect(job);
  rig.runtime.emit(id, "log", { level: "info", message: "2" });
  await rig.world.settle();
  rig.runtime.drop();
  rig.runtime.expireSessions();
  rig.runtime.emit(id, "log", { level: "info", message: "3" });
  await rig.wait();
  expect(rig.runtime.sent("job.subscribe").map(({ payload }) => payload.from_job_seq)).toEqual([0, 2, 2]);
  rig.runtime.succeed(id, { result: "seen" });
  expect(await rig.settled(job.result())).toBe("seen");
  expect(await end).toBe("end");
  expect(seqs(events)).toEqual(upTo(3));
});

it("gets the end of a job it subscribes to after that end, with and without history", async () => {
  const rig = await open();
  const first = await submitEcho(rig);
  rig.runtime.emit(first.id, "log", { level: "info", message: "1" });
  rig.runtime.succeed(first.id, { result: "kept" });
  await rig.world.settle();
  const late = await rig.settled(rig.session.subscribe(first.id));
  expect(await rig.settled(late.result())).toBe("kept");
  const whole = await rig.settled(rig.session.subscribe(first.id, { fromJobSeq: 0 }));
  const { events, end } = collect(whole);
  await rig.world.settle();
  expect(await end).toBe("end");
  expect(seqs(events)).toEqual([1]);
});

it.each([1_000_000, 100])(
  "gives one job to all submissions with its key, also after it ended, keeping %i",
  async (limit) => {
    const rig = await open({ maxBufferedLength: limit });
    const key = { idempotencyKey: "once" };
    const [first, second] = await rig.settled(
      Promise.all([rig.session.submit("echo", 1, key), rig.session.submit("echo", 1, key)]),
    );
    expect(second).toBe(first);
    rig.runtime.emit(first.id, "log", { level: "info", message: "1" });
    rig.runtime.succeed(first.id, { result: "once" });
    expect(await rig.settled(first.result())).toBe("once");
    const third = await rig.settled(rig.session.submit("echo", 1, key));
    const { events, end } = collect(third);
    expect(await rig.settled(third.result())).toBe("once");
    expect(await end).toBe("end");
    expect(seqs(events)).toEqual([1]);
    expect(third.id).toBe(first.id);
  },
);

it("drops a repeat, and takes a gap for a broken connection [arcp-8.3-client-resumes-on-gap]", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  const { events } = collect(job);
  for (let count = 0; count < 4; count++) rig.runtime.emit(job.id, "log", { level: "info", message: "x" });
  await rig.world.settle();
  const forge = (seq: number): void =>
    rig.runtime.inject(
      JSON.stringify({
        arcp: "1.1",
        id: "msg_x",
        type: "job.event",
        job_id: job.id,
        event_seq: seq,
        payload: { kind: "log", body: { level: "info", message: "forged" } },
      }),
    );
  forge(4);
  await rig.world.settle();
  expect(rig.runtime.sockets).toHaveLength(1);
  forge(6);
  await rig.wait();
  expect(rig.runtime.sockets).toHaveLength(2);
  expect(rig.runtime.sent("session.resume")[0]?.payload.last_event_seq).toBe(4);
  expect(seqs(events)).toEqual(upTo(4));
});

it("drops a connection over which garbage came, and goes on over another", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  const garbage = [
    "",
    "{",
    "[]",
    '{"arcp":"1.1"}',
    '{"arcp":"1.1","id":"x","type":"job.event","payload":{}}',
    new Uint8Array(3),
  ];
  for (const [index, data] of garbage.entries()) {
    rig.runtime.inject(data);
    await rig.wait();
    expect(rig.runtime.sockets).toHaveLength(index + 2);
  }
  rig.runtime.inject('{"arcp":"1.1","id":"x","type":"job.paused","payload":{}}');
  await rig.wait();
  expect(rig.runtime.sockets).toHaveLength(garbage.length + 1);
  rig.runtime.succeed(job.id, { result: "still here" });
  expect(await rig.settled(job.result())).toBe("still here");
});

it("answers pings, pings when idle, and gives up a silent connection after two intervals [arcp-6.4-pong] [arcp-6.4-message-per-interval]", async () => {
  const rig = await open();
  rig.runtime.inject('{"arcp":"1.1","id":"x","type":"session.ping","payload":{"nonce":"n1"}}');
  await rig.world.settle();
  expect(rig.runtime.sent("session.pong")[0]?.payload.ping_nonce).toBe("n1");
  await rig.wait(HOUR_MS);
  expect(rig.runtime.sockets).toHaveLength(1);
  expect(rig.runtime.sent("session.ping").length).toBeGreaterThanOrEqual(HOUR_MS / 30_000 - 1);
  rig.runtime.silent = true;
  await rig.wait(59_000);
  expect(rig.runtime.socket.closedByClient).toBeUndefined();
  await rig.wait(17_000);
  expect(rig.runtime.sockets[0]?.closedByClient).toBe(4408);
  rig.runtime.silent = false;
  await rig.wait();
  expect((await rig.settled(rig.session.jobs().page())).jobs).toEqual([]);
});

it("acknowledges what it has, a few times a second at most [arcp-6.5-ack-rate] [arcp-6.5-client-acknowledges]", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  for (let count = 0; count < 100; count++) {
    rig.runtime.emit(job.id, "log", { level: "info", message: "x" });
    await rig.wait(10);
  }
  await rig.wait(1_000);
  const acknowledged = rig.runtime.sent("session.ack").map(({ payload }) => payload.last_processed_seq);
  expect(acknowledged.length).toBeLessThanOrEqual(5);
  expect(acknowledged.at(-1)).toBe(100);
});

it("uses no feature that was not negotiated [arcp-6.2-feature-outside-unused]", async () => {
  const rig = await open({ features: [] });
  rig.runtime.features = [];
  rig.runtime.drop();
  rig.runtime.expireSessions();
  await rig.wait();
  const job = await submitEcho(rig);
  rig.runtime.emit(job.id, "log", { level: "info", message: "x" });
  await rig.wait(HOUR_MS);
  expect(rig.runtime.received.slice(3).map(({ type }) => type)).toEqual(["job.submit"]);
});

it("gives up a runtime that does not come back, within its limits", async () => {
  const rig = await open({ reconnect: { maxAttempts: 3 } });
  const job = await submitEcho(rig);
  rig.runtime.unreachable = true;
  rig.runtime.drop();
  await rig.wait();
  await expect(job.result()).rejects.toMatchObject({ name: "ConnectionLostError", code: "CONNECTION_LOST" });
  expect(rig.runtime.sockets).toHaveLength(4);
  expect(rig.world.pendingTimers).toBe(0);
});

it("rejects a first connection that fails, and leaves nothing behind", async () => {
  const lost = { code: "CONNECTION_LOST" };
  expect((await refused({}, (runtime) => (runtime.unreachable = true))).error).toMatchObject(lost);
  expect((await refused({}, (runtime) => (runtime.silent = true))).error).toMatchObject(lost);
  const broken = () => {
    throw new SyntaxError("not a URL");
  };
  expect((await refused({ webSocket: broken })).error).toMatchObject({ ...lost, cause: expect.any(SyntaxError) });
  expect((await refused({ token: "wrong" })).error).toMatchObject({ name: "SessionError", code: "UNAUTHENTICATED" });
  const aborted = await refused({ signal: AbortSignal.abort("no") });
  expect(aborted).toMatchObject({ error: "no", runtime: { sockets: [] } });
});

it("stops connecting when its signal aborts", async () => {
  const controller = new AbortController();
  const { error } = await refused({ signal: controller.signal }, (runtime) => {
    runtime.silent = true;
    runtime.world.timers.after(10, () => controller.abort("enough"));
  });
  expect(error).toBe("enough");
});

it("cancels a job whose submission was aborted before it was accepted, and sends none that was not sent", async () => {
  const rig = await open();
  const controller = new AbortController();
  const submitting = rig.session.submit("echo", null, { signal: controller.signal });
  controller.abort("changed my mind");
  await expect(rig.settled(submitting)).rejects.toBe("changed my mind");
  expect([...rig.runtime.jobs.values()].map(({ status }) => status)).toEqual(["cancelled"]);

  rig.runtime.drop();
  const later = new AbortController();
  const unsent = rig.session.submit("echo", null, { signal: later.signal });
  later.abort("again");
  await expect(unsent).rejects.toBe("again");
  await expect(rig.session.submit("echo", null, { signal: later.signal })).rejects.toBe("again");
  await rig.wait();
  expect(rig.runtime.jobs.size).toBe(1);
});

it("lets a caller stop waiting without touching the job", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  const signal = AbortSignal.abort("bored");
  await expect(job.result({ signal })).rejects.toBe("bored");
  await expect(job.events({ signal }).next()).rejects.toBe("bored");
  await expect(rig.session.jobs({}, { signal }).page()).rejects.toBe("bored");
  rig.runtime.succeed(job.id, { result: 1 });
  expect(await rig.settled(job.result())).toBe(1);
});

it("closes: says so to the runtime, and rejects whatever waits", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  const { end } = collect(job);
  const result = job.result();
  const listing = rig.session.jobs().page();
  await rig.settled(rig.session.close());
  expect(await end).toBe("SESSION_CLOSED");
  for (const call of [result, listing, rig.session.submit("echo", null), job.cancel()]) {
    await expect(call).rejects.toMatchObject({ name: "SessionError", code: "SESSION_CLOSED" });
  }
  expect(rig.runtime.sent("session.close")).toHaveLength(1);
  expect(rig.runtime.socket.closedByClient).toBe(1000);
  await rig.session.close();
  expect(rig.world.pendingTimers).toBe(0);
  expect(rig.runtime.jobs.get(job.id)?.status).toBe("running");
});

it("closes without waiting for a runtime that is silent or away", async () => {
  const silent = await open();
  silent.runtime.silent = true;
  const closing = silent.session.close();
  await silent.wait(5_000);
  await closing;
  const away = await open();
  away.runtime.drop();
  await away.session[Symbol.asyncDispose]();
  for (const { world, runtime } of [silent, away]) {
    expect(world.pendingTimers).toBe(0);
    expect(runtime.socket.isOpen).toBe(false);
  }
});

it("cancels by id, and says how a job had ended before", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  expect(await rig.settled(rig.session.cancel(job.id, "stop"))).toBeUndefined();
  await expect(job.result()).rejects.toMatchObject({ code: "CANCELLED" });
  expect(await rig.settled(rig.session.cancel(job.id))).toBe("cancelled");
  await job.cancel();
  expect(rig.runtime.sent("job.cancel")).toHaveLength(2);
});

it("refuses by itself what a runtime could not take", async () => {
  const rig = await open({ maxPendingRequests: 1 });
  await expect(rig.session.submit("echo", "é".repeat(600_000))).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  await expect(rig.session.submit("echo", 1n)).rejects.toThrow(TypeError);
  await expect(rig.session.submit("echo", null, { expiresAt: new Date(Number.NaN) })).rejects.toThrow(RangeError);
  expect(rig.runtime.sent("job.submit")).toEqual([]);
  const first = rig.session.submit("echo", null);
  await expect(rig.session.submit("echo", null)).rejects.toMatchObject({ code: "TOO_MANY_REQUESTS", retryable: true });
  expect((await rig.settled(first)).status).toBe("pending");
});

it("tells a reader that came too late what it has lost, and still gives the result", async () => {
  const rig = await open({ maxBufferedLength: 2_000 });
  const job = await submitEcho(rig);
  for (let count = 0; count < 10; count++) rig.runtime.emit(job.id, "log", { level: "info", message: "x" });
  rig.runtime.succeed(job.id, { result: "whole" });
  await rig.world.settle();
  const { events, end } = collect(job);
  expect(await end).toBe("EVENTS_LOST");
  expect(events).toEqual([]);
  expect(await job.result()).toBe("whole");
});
