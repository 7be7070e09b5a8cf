import { expect, it } from "vitest";
import { FEATURES } from "../protocol/features.ts";
import { connect } from "./connect.ts";
import type { Session } from "./session.ts";
import { collect, open, type Rig, seqs, submitEcho, upTo } from "./test-rig.ts";

const line = { level: "info", message: "x" };

/** A second session with the same runtime. */
async function other({ world, runtime, settled }: Rig, features?: readonly string[]): Promise<Session> {
  const options = { token: "secret", world, webSocket: runtime.connect };
  return settled(connect("ws://runtime", features === undefined ? options : { ...options, features }));
}

async function emit({ runtime, world }: Rig, jobId: string, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent++) runtime.emit(jobId, "log", line);
  await world.settle();
}

it.each([
  ["from now on", {}, [3, 4]],
  ["with its history", { history: true }, upTo(4)],
  ["from a position", { fromJobSeq: 1 }, [2, 3, 4]],
])("follows a job of another session %s", async (_how, options, expected) => {
  const rig = await open();
  const { id } = await submitEcho(rig);
  await emit(rig, id, 2);
  const watching = await other(rig);
  const job = await rig.settled(watching.subscribe(id, options));
  expect(job).toMatchObject({ id, agent: "echo@1.0.0", status: "running", idempotencyKey: undefined });
  const { events, end } = collect(job);
  await emit(rig, id, 2);
  rig.runtime.succeed(id, { result: "seen" });
  expect(await rig.settled(job.result())).toBe("seen");
  expect(await end).toBe("end");
  expect(seqs(events)).toEqual(expected);
});

it("cancels a job it follows with the control feature", async () => {
  const rig = await open();
  const { id } = await submitEcho(rig);
  const watching = await other(rig);
  const job = await rig.settled(watching.subscribe(id));
  await rig.settled(job.cancel("seen enough"));
  await expect(rig.settled(job.result())).rejects.toMatchObject({ code: "CANCELLED" });
});

it("says why it cannot cancel a job it merely follows, and asks nothing of the runtime", async () => {
  const rig = await open();
  const { id } = await submitEcho(rig);
  rig.runtime.features = FEATURES.filter((feature) => feature !== "x-leasehold.control");
  const watching = await other(rig);
  const job = await rig.settled(watching.subscribe(id));
  const refusal = { name: "RequestError", code: "PERMISSION_DENIED", message: expect.stringContaining("control") };
  await expect(job.cancel()).rejects.toMatchObject(refusal);
  void job.cancel();
  expect(rig.runtime.sent("job.cancel")).toEqual([]);
  rig.runtime.succeed(id, { result: 1 });
  expect(await rig.settled(job.result())).toBe(1);
});

it("stops following, and begins anew when asked again, over a drop too", async () => {
  const rig = await open();
  const { id } = await submitEcho(rig);
  const watching = await other(rig);
  const first = await rig.settled(watching.subscribe(id, { history: true }));
  const { events, end } = collect(first);
  await emit(rig, id, 2);
  first.unsubscribe();
  first.unsubscribe();
  expect(await end).toBe("UNSUBSCRIBED");
  await expect(first.result()).rejects.toMatchObject({ name: "FollowError", code: "UNSUBSCRIBED", jobId: id });
  await rig.world.settle();
  expect(rig.runtime.sent("job.unsubscribe").map(({ payload }) => payload.job_id)).toEqual([id]);
  await emit(rig, id, 1);
  expect(seqs(events)).toEqual([1, 2]);

  const second = await rig.settled(watching.subscribe(id, { history: true }));
  rig.runtime.drop();
  second.unsubscribe();
  const asking = watching.subscribe(id, { history: true });
  await rig.wait();
  const third = collect(await asking);
  rig.runtime.succeed(id, { result: 1 });
  await rig.world.settle();
  expect(await third.end).toBe("end");
  expect(seqs(third.events)).toEqual(upTo(3));
});

it("begins with a clean slate in another session", async () => {
  const rig = await open();
  const { id } = await submitEcho(rig);
  const watching = await other(rig);
  (await rig.settled(watching.subscribe(id))).unsubscribe();
  await rig.world.settle();
  rig.runtime.drop();
  rig.runtime.expireSessions();
  await rig.wait();
  await rig.settled(watching.subscribe(id));
  expect(rig.runtime.sent("job.unsubscribe")).toHaveLength(1);
});

it("gives the whole job to one who asks while another leaves, whatever still comes of what was left", async () => {
  const rig = await open();
  const { id } = await submitEcho(rig);
  await emit(rig, id, 2);
  const watching = await other(rig);
  // The one leaves as soon as it has its handle, before the other can be answered.
  const leaving = watching.subscribe(id).then((job) => job.unsubscribe());
  const staying = watching.subscribe(id, { history: true }).catch(() => watching.subscribe(id, { history: true }));
  await rig.settled(leaving);
  const { events, end } = collect(await rig.settled(staying));
  await emit(rig, id, 1);
  rig.runtime.succeed(id, { result: 1 });
  await rig.world.settle();
  expect(await end).toBe("end");
  expect(seqs(events)).toEqual(upTo(3));
});

it("passes over what comes of an earlier subscription that the runtime does not know to have ended", async () => {
  const rig = await open();
  const { id } = await submitEcho(rig);
  const watching = await other(rig);
  const first = await rig.settled(watching.subscribe(id));
  rig.runtime.drop();
  first.unsubscribe();
  const listing = watching.jobs().page();
  const asking = watching.subscribe(id, { history: true });
  await emit(rig, id, 2);
  await rig.wait();
  await listing;
  const { events } = collect(await asking);
  await emit(rig, id, 1);
  expect(seqs(events)).toEqual(upTo(3));
});

it.each([{ history: true }, {}])(
  "begins where it asked though the answer was lost and events came: %o",
  async (options) => {
    const rig = await open();
    const { id } = await submitEcho(rig);
    await emit(rig, id, 2);
    const watching = await other(rig);
    let losses = 2;
    rig.runtime.beforeSend = ({ type }) => type !== "job.subscribed" || losses-- <= 0;
    const asking = watching.subscribe(id, options);
    await rig.world.settle();
    await emit(rig, id, 2);
    await rig.wait();
    const { events, end } = collect(await asking);
    await emit(rig, id, 1);
    rig.runtime.succeed(id, { result: 1 });
    await rig.world.settle();
    expect(await end).toBe("end");
    // Without history, from the answer on.
    expect(seqs(events)).toEqual("history" in options ? upTo(5) : [5]);
  },
);

it("does not unsubscribe from what was submitted here", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  expect(() => job.unsubscribe()).toThrow(TypeError);
  rig.runtime.succeed(job.id, { result: 1 });
  expect(await rig.settled(job.result())).toBe(1);
});

it("refuses earlier events than the handle it has can give", async () => {
  const rig = await open();
  const { id } = await submitEcho(rig);
  await emit(rig, id, 2);
  const watching = await other(rig);
  const job = await rig.settled(watching.subscribe(id));
  await expect(watching.subscribe(id, { history: true })).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  expect(await watching.subscribe(id, { fromJobSeq: 2 })).toBe(job);
  job.unsubscribe();
  const { events } = collect(await rig.settled(watching.subscribe(id, { history: true })));
  await rig.world.settle();
  expect(seqs(events)).toEqual([1, 2]);
});

it.each([
  ["list", (session: Session) => session.jobs().page()],
  ["subscribe", (session: Session) => session.subscribe("job_1")],
  ["pin a version", (session: Session) => session.submit("echo@1.0.0", null)],
  ["set a budget", (session: Session) => session.submit("echo", null, { budget: { USD: "1" } })],
  ["name models", (session: Session) => session.submit("echo", null, { lease: { "model.use": ["*"] } })],
  ["set an expiry", (session: Session) => session.submit("echo", null, { expiresAt: "2030-01-01T00:00:00Z" })],
])("does not %s without the feature for it [arcp-6.2-feature-outside-unused]", async (_what, call) => {
  const rig = await open({ features: [] });
  rig.runtime.features = [];
  rig.runtime.drop();
  rig.runtime.expireSessions();
  await rig.wait();
  const sent = rig.runtime.received.length;
  const refusal = { name: "RequestError", code: "INVALID_REQUEST", details: { feature: expect.any(String) } };
  await expect(call(rig.session)).rejects.toMatchObject(refusal);
  await rig.world.settle();
  expect(rig.runtime.received).toHaveLength(sent);
});

it("does not ask in another session for what only the last one had negotiated [arcp-6.2-feature-outside-unused]", async () => {
  const rig = await open();
  rig.runtime.drop();
  rig.runtime.expireSessions();
  rig.runtime.features = [];
  const listing = rig.session.jobs().page();
  await rig.wait();
  await expect(listing).rejects.toMatchObject({ code: "INVALID_REQUEST", details: { feature: "list_jobs" } });
  expect(rig.runtime.sent("session.list_jobs")).toEqual([]);
});
