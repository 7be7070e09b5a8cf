/** Sessions whose stream is gone: their jobs go on in another session (DESIGN §5, re-attachment). */
import { expect, it } from "vitest";
import { FEATURES } from "../protocol/features.ts";
import type { ConnectOptions } from "./connect.ts";
import type { Job } from "./job.ts";
import { collect, open, type Rig, seqs, submitEcho, upTo } from "./test-rig.ts";

const WITHOUT_CONTROL = FEATURES.filter((feature) => feature !== "x-leasehold.control");

/** The connection and the session are gone; the jobs are not. */
async function lose({ runtime, wait }: Rig): Promise<void> {
  runtime.drop();
  runtime.expireSessions();
  await wait();
}

const line = { level: "info", message: "x" };

it("takes a job up where it was, and runs nothing for it [reading-client-other-session]", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  const { events, end } = collect(job);
  for (let count = 0; count < 3; count++) rig.runtime.emit(job.id, "log", line);
  await rig.world.settle();
  await lose(rig);
  rig.runtime.emit(job.id, "log", line);
  rig.runtime.succeed(job.id, { result: "done" });
  expect(await rig.settled(job.result())).toBe("done");
  expect(await end).toBe("end");
  expect(seqs(events)).toEqual(upTo(4));
  expect(rig.runtime.sent("job.subscribe").map(({ payload }) => payload.from_job_seq)).toEqual([3]);
  expect(rig.runtime.sent("job.submit")).toHaveLength(1);
});

it("takes back the right to cancel by the job's key, before a cancellation that waits goes out", async () => {
  const rig = await open({ features: WITHOUT_CONTROL });
  rig.runtime.features = WITHOUT_CONTROL;
  await lose(rig);
  const job = await submitEcho(rig);
  rig.runtime.drop();
  rig.runtime.expireSessions();
  const cancelling = job.cancel("while away");
  await rig.wait();
  await cancelling;
  await expect(job.result()).rejects.toMatchObject({ code: "CANCELLED" });
  const types = rig.runtime.received.map(({ type }) => type).filter((type) => type.startsWith("job."));
  expect(types).toEqual(["job.submit", "job.subscribe", "job.submit", "job.cancel"]);
  expect(rig.runtime.jobs.size).toBe(1);
});

it.each(["INVALID_REQUEST", "JOB_NOT_FOUND", "SESSION_NOT_FOUND"])(
  "opens another session when a resume is refused with %s",
  async (code) => {
    const rig = await open();
    const job = await submitEcho(rig);
    const before = rig.session.id;
    rig.runtime.onMessage = (message, reply) => {
      if (message.type !== "session.resume") return false;
      const payload = { code, message: "there is no such session", retryable: false, request_id: message.id };
      reply({ type: "session.error", payload });
      return true;
    };
    await lose(rig);
    expect(rig.session.id).not.toBe(before);
    rig.runtime.succeed(job.id, { result: "done" });
    expect(await rig.settled(job.result())).toBe("done");
  },
);

it("ends when both the resume and the new session are refused for the caller's sake", async () => {
  const rig = await open();
  rig.runtime.onMessage = (message, reply) => {
    const payload = { code: "UNAUTHENTICATED", message: "revoked", retryable: false, request_id: message.id };
    reply({ type: "session.error", payload });
    return true;
  };
  const connections = rig.runtime.sockets.length;
  rig.runtime.drop();
  await rig.wait();
  await expect(rig.session.submit("echo", null)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  expect(rig.runtime.sockets).toHaveLength(connections + 1);
  expect(rig.world.pendingTimers).toBe(0);
});

it("fails what cannot be taken up, and only that [reading-client-other-session]", async () => {
  const rig = await open();
  const [fine, gone, trimmed] = [await submitEcho(rig), await submitEcho(rig), await submitEcho(rig)];
  rig.runtime.emit(trimmed.id, "log", line);
  await rig.world.settle();
  rig.runtime.jobs.delete(gone.id);
  rig.runtime.onMessage = (message, reply) => {
    if (message.type !== "job.subscribe" || message.payload.job_id !== trimmed.id) return false;
    const payload = { job_id: trimmed.id, current_status: "running", subscribed_from: 7, request_id: message.id };
    reply({ type: "job.subscribed", payload });
    return true;
  };
  await lose(rig);
  await expect(gone.result()).rejects.toMatchObject({ name: "FollowError", code: "JOB_NOT_FOUND", jobId: gone.id });
  await expect(trimmed.result()).rejects.toMatchObject({ name: "FollowError", code: "EVENTS_LOST" });
  rig.runtime.succeed(fine.id, { result: "fine" });
  expect(await rig.settled(fine.result())).toBe("fine");
});

it("fails a job whose events are not numbered rather than repeat or skip one", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  const untouched = await submitEcho(rig);
  rig.runtime.beforeSend = (message) => {
    delete (message.payload as { job_seq?: number }).job_seq;
    return true;
  };
  rig.runtime.emit(job.id, "log", line);
  await rig.world.settle();
  await lose(rig);
  await expect(job.result()).rejects.toMatchObject({ code: "EVENTS_LOST", jobId: job.id });
  rig.runtime.succeed(untouched.id, { result: "nothing was missed" });
  expect(await rig.settled(untouched.result())).toBe("nothing was missed");
});

it("asks again, later, for what the runtime refuses for the time being", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  const asked: number[] = [];
  rig.runtime.onMessage = (message, reply) => {
    if (message.type !== "job.subscribe" || asked.push(rig.world.clock.now()) > 3) return false;
    const error = { code: "RATE_LIMITED", message: "slow down", retryable: true, details: { retry_after_ms: 5_000 } };
    reply({ type: "session.error", payload: { ...error, request_id: message.id } });
    return true;
  };
  await lose(rig);
  rig.runtime.succeed(job.id, { result: "patience" });
  expect(await rig.settled(job.result())).toBe("patience");
  const pauses = asked.slice(1).map((at, index) => at - (asked[index] ?? 0));
  expect(pauses).toHaveLength(3);
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(5_000);
});

/** A runtime, and a session with it, without the control feature, and with jobs under way. */
async function withJobs(count: number, options: Partial<ConnectOptions> = {}): Promise<{ rig: Rig; jobs: Job[] }> {
  const rig = await open({ features: WITHOUT_CONTROL, ...options });
  rig.runtime.features = WITHOUT_CONTROL;
  await lose(rig);
  const submitting = Array.from({ length: count }, () => rig.session.submit("echo", null));
  return { rig, jobs: await rig.settled(Promise.all(submitting)) };
}

it("takes up many jobs a few at a time, also when yet another session begins in between", async () => {
  const { rig, jobs } = await withJobs(100);
  rig.runtime.onMessage = ({ type }) => type === "job.subscribe";
  await lose(rig);
  expect(rig.runtime.sent("job.subscribe")).toHaveLength(32);
  rig.runtime.onMessage = () => false;
  await lose(rig);
  expect(rig.runtime.sent("job.subscribe")).toHaveLength(32 + 100);
  for (const job of jobs) rig.runtime.succeed(job.id, { result: job.id });
  await rig.world.settle();
  expect(await Promise.all(jobs.map((job) => job.result()))).toEqual(jobs.map(({ id }) => id));
  expect(rig.runtime.jobs.size).toBe(100);
  await rig.settled(rig.session.close());
  expect(rig.world.pendingTimers).toBe(0);
});

it("cancels once it may, also what it had asked in the session that is gone", async () => {
  const { rig, jobs } = await withJobs(1);
  rig.runtime.onMessage = ({ type }) => type === "job.cancel";
  const cancelling = jobs[0]?.cancel();
  await rig.world.settle();
  rig.runtime.onMessage = () => false;
  await lose(rig);
  await cancelling;
  await expect(jobs[0]?.result()).rejects.toMatchObject({ code: "CANCELLED" });
});

it("follows a job on when only the right to cancel it cannot be had back", async () => {
  const { rig, jobs } = await withJobs(1);
  const [job] = jobs;
  rig.runtime.onMessage = (message, reply) => {
    if (message.type !== "job.submit") return false;
    const payload = { code: "DUPLICATE_KEY", message: "no", retryable: false, request_id: message.id };
    reply({ type: "session.error", payload });
    return true;
  };
  await lose(rig);
  await expect(rig.settled(job?.cancel() ?? Promise.resolve())).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  rig.runtime.succeed(job?.id ?? "", { result: "followed" });
  expect(await rig.settled(job?.result() ?? Promise.resolve())).toBe("followed");
});

it("waits for no right that another session gives anyway", async () => {
  const { rig, jobs } = await withJobs(1, { features: FEATURES });
  rig.runtime.onMessage = ({ type }) => type === "job.subscribe";
  await lose(rig);
  const cancelling = jobs[0]?.cancel();
  rig.runtime.features = FEATURES;
  await lose(rig);
  await cancelling;
  expect(rig.runtime.jobs.get(jobs[0]?.id ?? "")?.status).toBe("cancelled");
});

it.each(["waits for an answer", "waits before it asks again"])("leaves nothing behind when it %s", async (when) => {
  const { rig, jobs } = await withJobs(1, { reconnect: { maxAttempts: 3 } });
  rig.runtime.onMessage = (message, reply) => {
    if (message.type !== "job.subscribe") return false;
    const error = { code: "RATE_LIMITED", message: "wait", retryable: true, details: { retry_after_ms: 1e9 } };
    if (when.endsWith("again")) reply({ type: "session.error", payload: { ...error, request_id: message.id } });
    return true;
  };
  await lose(rig);
  rig.runtime.unreachable = true;
  rig.runtime.drop();
  await rig.wait();
  await expect(jobs[0]?.result()).rejects.toMatchObject({ name: "ConnectionLostError" });
  expect(rig.world.pendingTimers).toBe(0);
});
