/** What a runtime may send that this client does not know, or need not heed: it goes on, without a gap. */
import { expect, it } from "vitest";
import { collect, open, seqs, submitEcho } from "./test-rig.ts";

it.each([
  ["a message of a later draft", { type: "job.paused", job_id: "job_1" }],
  ["an event of no job", { type: "job.event", payload: { kind: "status", body: { phase: "back_pressure" } } }],
])("counts %s that has a place in the stream, and passes over it", async (_what, frame) => {
  const rig = await open();
  const job = await submitEcho(rig);
  const { events } = collect(job);
  rig.runtime.emit(job.id, "log", { level: "info", message: "1" });
  await rig.world.settle();
  rig.runtime.inject(JSON.stringify({ arcp: "1.1", id: "msg_x", payload: {}, event_seq: 2, ...frame }));
  const event = { kind: "log", job_seq: 2, body: { level: "info", message: "2" } };
  const place = { type: "job.event", job_id: job.id, event_seq: 3 };
  rig.runtime.inject(JSON.stringify({ arcp: "1.1", id: "msg_y", ...place, payload: event }));
  await rig.wait(1_000);
  expect(rig.runtime.sockets).toHaveLength(1);
  expect(seqs(events)).toEqual([1, 2]);
  expect(rig.runtime.sent("session.ack").at(-1)?.payload.last_processed_seq).toBe(3);
});

it("takes a gap before such a message for a broken connection", async () => {
  const rig = await open();
  rig.runtime.inject('{"arcp":"1.1","id":"x","type":"job.paused","event_seq":5,"payload":{}}');
  await rig.wait();
  expect(rig.runtime.sockets).toHaveLength(2);
});

it("counts nothing before the welcome", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  const { events } = collect(job);
  rig.runtime.onMessage = ({ type }, reply) => {
    if (type === "session.resume") reply({ type: "job.paused", event_seq: 1, payload: {} });
    return false;
  };
  rig.runtime.drop();
  rig.runtime.emit(job.id, "log", { level: "info", message: "1" });
  await rig.wait();
  expect(seqs(events)).toEqual([1]);
});

it("goes on in another session after back-pressure, which has no place in a job's log", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  const { events } = collect(job);
  rig.runtime.beforeSend = (message) => {
    const payload = message.payload as { job_seq?: number; body?: { phase?: string } };
    if (payload.body?.phase === "back_pressure") delete payload.job_seq;
    return true;
  };
  rig.runtime.emit(job.id, "log", { level: "info", message: "1" });
  rig.runtime.emit(job.id, "status", { phase: "back_pressure" });
  await rig.world.settle();
  rig.runtime.drop();
  rig.runtime.expireSessions();
  await rig.wait();
  rig.runtime.succeed(job.id, { result: "whole" });
  expect(await rig.settled(job.result())).toBe("whole");
  expect(events.filter(({ kind }) => kind === "log")).toHaveLength(1);
});

it("comes back no sooner than a runtime that refuses it says", async () => {
  const rig = await open();
  const asked: number[] = [];
  rig.runtime.onMessage = (message, reply) => {
    if (message.type !== "session.resume" || asked.push(rig.world.clock.now()) > 2) return false;
    const error = { code: "INTERNAL_ERROR", message: "too many", retryable: true, details: { retry_after_ms: 7_000 } };
    reply({ type: "session.error", payload: { ...error, request_id: message.id } });
    return true;
  };
  rig.runtime.drop();
  await rig.wait();
  expect(asked).toHaveLength(3);
  expect(asked.slice(1).map((at, index) => at - (asked[index] ?? 0) >= 7_000)).toEqual([true, true]);
});

it("shows back-pressure on a job as the event it is", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  const { events } = collect(job);
  rig.runtime.emit(job.id, "status", { phase: "back_pressure", message: "you are slow" });
  rig.runtime.succeed(job.id, { result: 1 });
  expect(await rig.settled(job.result())).toBe(1);
  expect(events).toMatchObject([{ kind: "status", body: { phase: "back_pressure" } }]);
});
