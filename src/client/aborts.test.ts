/** Every call that waits takes a signal; what its abort ends is that call and nothing else. */
import { expect, it } from "vitest";
import { createSystemWorld } from "../platform/system-world.ts";
import { connect } from "./connect.ts";
import type { Job } from "./job.ts";
import type { Session } from "./session.ts";
import { collect, open, type Rig, seqs, submitEcho, upTo } from "./test-rig.ts";

type Call = (session: Session, job: Job, signal: AbortSignal) => Promise<unknown>;

const CALLS: readonly (readonly [string, Call])[] = [
  ["submit", (session, _job, signal) => session.submit("echo", null, { signal })],
  ["a page of jobs", (session, _job, signal) => session.jobs({}, { signal }).page()],
  ["all jobs", (session, _job, signal) => session.jobs({}, { signal })[Symbol.asyncIterator]().next()],
  ["subscribe", (session, _job, signal) => session.subscribe("job_elsewhere", { signal })],
  ["session.cancel", (session, job, signal) => session.cancel(job.id, "why", { signal })],
  ["job.cancel", (_session, job, signal) => job.cancel("why", { signal })],
  ["events", (_session, job, signal) => job.events({ signal }).next()],
  ["result", (_session, job, signal) => job.result({ signal })],
  ["resultStream", (_session, job, signal) => job.resultStream({ signal }).next()],
];

/** All of them for one job and one session, without a signal. */
function others(session: Session, job: Job): Promise<unknown>[] {
  return [session.submit("echo", "other"), session.jobs().page(), job.events().next(), job.result()];
}

async function expectUnharmed(rig: Rig, job: Job, waiting: readonly Promise<unknown>[]): Promise<void> {
  rig.runtime.silent = false;
  rig.runtime.onMessage = () => false;
  // What was swallowed is asked again over the next connection.
  rig.runtime.drop();
  await rig.wait();
  if (rig.runtime.jobs.get(job.id)?.status === "running") {
    rig.runtime.emit(job.id, "log", { level: "info", message: "x" });
    rig.runtime.succeed(job.id, { result: "unharmed" });
  }
  await rig.world.settle();
  for (const outcome of await Promise.allSettled(waiting)) {
    // Only the cancellation itself, when it went out before it was aborted, has an effect on the job.
    if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "CANCELLED" });
  }
  expect((await rig.settled(rig.session.submit("echo", null))).status).toBe("pending");
}

it.each(CALLS)("%s: rejects with the reason as soon as the signal aborts", async (_name, call) => {
  const rig = await open();
  const job = await submitEcho(rig);
  rig.runtime.onMessage = () => true;
  const waiting = others(rig.session, job);
  const controller = new AbortController();
  const aborted = call(rig.session, job, controller.signal);
  await rig.world.settle();
  controller.abort("enough");
  await expect(aborted).rejects.toBe("enough");
  await expectUnharmed(rig, job, waiting);
});

it.each(CALLS)("%s: asks nothing with a signal that has aborted", async (_name, call) => {
  const rig = await open();
  const job = await submitEcho(rig);
  const sent = rig.runtime.received.length;
  await expect(call(rig.session, job, AbortSignal.abort("before"))).rejects.toBe("before");
  await rig.world.settle();
  expect(rig.runtime.received).toHaveLength(sent);
});

it.each(CALLS)("%s: an abort nobody observes is no unhandled rejection", async (_name, call) => {
  const rig = await open();
  const job = await submitEcho(rig);
  rig.runtime.onMessage = (message) => message.type !== "session.hello";
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", note);
  const controller = new AbortController();
  void call(rig.session, job, controller.signal);
  void call(rig.session, job, AbortSignal.abort("before"));
  void connect("ws://runtime", { token: "wrong", world: rig.world, webSocket: rig.runtime.connect });
  await rig.world.settle();
  controller.abort("enough");
  await rig.world.settle();
  // Node tells of them between two turns.
  await new Promise<void>((resolve) => createSystemWorld().timers.soon(resolve));
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

it("connect: rejects while it waits, and leaves no connection", async () => {
  const rig = await open();
  rig.runtime.silent = true;
  const controller = new AbortController();
  const options = { token: "secret", world: rig.world, webSocket: rig.runtime.connect, signal: controller.signal };
  const connecting = connect("ws://runtime", options);
  await rig.world.settle();
  controller.abort("enough");
  await expect(connecting).rejects.toBe("enough");
  expect(rig.runtime.socket.isOpen).toBe(false);
  await connect("ws://runtime", { ...options, signal: AbortSignal.abort("before") }).catch(() => {});
  expect(rig.runtime.sockets).toHaveLength(2);
});

it("close: ends its wait, and goes on closing", async () => {
  const rig = await open();
  rig.runtime.silent = true;
  const controller = new AbortController();
  const closing = rig.session.close({ signal: controller.signal });
  controller.abort("enough");
  await expect(closing).rejects.toBe("enough");
  await rig.wait();
  expect(rig.runtime.socket.isOpen).toBe(false);
  await rig.session.close();
  expect(rig.world.pendingTimers).toBe(0);
});

it("submit with a key of the caller's: leaves the job, which the key gives again, whole", async () => {
  const rig = await open();
  const controller = new AbortController();
  const idempotencyKey = "shared";
  const aborted = rig.session.submit("echo", null, { idempotencyKey, signal: controller.signal });
  const wanted = rig.session.submit("echo", null, { idempotencyKey });
  controller.abort("not me");
  await expect(rig.settled(aborted)).rejects.toBe("not me");
  const job = await wanted;
  rig.runtime.emit(job.id, "log", { level: "info", message: "x" });
  await rig.world.settle();

  const again = new AbortController();
  const second = rig.session.submit("echo", null, { idempotencyKey, signal: again.signal });
  await rig.world.settle();
  again.abort("too late");
  expect(await second).toBe(job);
  expect(rig.runtime.sent("job.cancel")).toEqual([]);
  expect(rig.runtime.jobs.get(job.id)?.status).toBe("running");
});

it("submit with a key, aborted with nobody else waiting: a later call gets every event", async () => {
  const rig = await open();
  const controller = new AbortController();
  const aborted = rig.session.submit("echo", null, { idempotencyKey: "mine", signal: controller.signal });
  controller.abort("later");
  await expect(rig.settled(aborted)).rejects.toBe("later");
  const [id = ""] = rig.runtime.jobs.keys();
  rig.runtime.emit(id, "log", { level: "info", message: "nobody looked" });
  await rig.world.settle();
  const job = await rig.settled(rig.session.submit("echo", null, { idempotencyKey: "mine" }));
  const { events } = collect(job);
  rig.runtime.emit(id, "log", { level: "info", message: "now" });
  await rig.world.settle();
  expect(seqs(events)).toEqual(upTo(2));
});

it.each(["at once", "before the first is answered", "after it was answered"])(
  "subscribe, aborted: another subscription to the same job gets all of it, asked %s",
  async (when) => {
    const rig = await open();
    const { id } = await submitEcho(rig);
    rig.runtime.emit(id, "log", { level: "info", message: "1" });
    await rig.world.settle();
    const watching = await rig.settled(
      connect("ws://runtime", { token: "secret", world: rig.world, webSocket: rig.runtime.connect }),
    );
    const controller = new AbortController();
    // Where they overlap the first decides where the runtime begins.
    const aborted = watching.subscribe(id, { history: when === "at once", signal: controller.signal });
    const early = when === "at once" ? watching.subscribe(id, { history: true }) : undefined;
    controller.abort("not me");
    const wanted = early ?? (when.startsWith("before") ? watching.subscribe(id, { history: true }) : undefined);
    await expect(rig.settled(aborted)).rejects.toBe("not me");
    const job = await rig.settled(wanted ?? watching.subscribe(id, { history: true }));
    const { events, end } = collect(job);
    rig.runtime.emit(id, "log", { level: "info", message: "2" });
    rig.runtime.succeed(id, { result: 1 });
    await rig.world.settle();
    expect(await end).toBe("end");
    expect(seqs(events)).toEqual([1, 2]);
  },
);
