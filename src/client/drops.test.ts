/**
 * Seeded: connections dropped, sessions expired, frames lost and calls aborted at random moments, under several jobs at
 * once, with runtimes of more and fewer features.
 */
import { expect, it } from "vitest";
import { FEATURES } from "../protocol/features.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { connect } from "./connect.ts";
import type { Session } from "./session.ts";
import { ScriptedRuntime } from "./test-runtime.ts";

const SEEDS = 240;
/** What the runtime does not have, by turns: each has the client come back to its jobs in another way. */
const LACKING: readonly (readonly string[])[] = [[], ["x-leasehold.control"], ["x-leasehold.control", "subscribe"]];
const STEPS = 150;

async function run(seed: number): Promise<void> {
  const world = createFakeWorld({ seed });
  const runtime = new ScriptedRuntime(world);
  const lacking = LACKING[seed % LACKING.length] ?? [];
  runtime.features = FEATURES.filter((feature) => !lacking.includes(feature));
  const opening = [1, 2].map(() => connect("ws://runtime", { token: "secret", world, webSocket: runtime.connect }));
  await world.settle();
  const [session, watcher] = (await Promise.all(opening)) as [Session, Session];
  runtime.beforeSend = () => world.draw() > 0.02;

  const followed: Promise<{ id: string; seqs: (number | undefined)[]; result: unknown }>[] = [];
  const follow = async () => {
    const job = await session.submit("echo", null);
    const seqs: (number | undefined)[] = [];
    for await (const event of job.events()) seqs.push(event.jobSeq);
    return { id: job.id, seqs, result: await job.result() };
  };
  /** Calls that begin and are given up at once or a little later, with jobs of their own and with the others'. */
  const waver = (): void => {
    const controller = new AbortController();
    const { signal } = controller;
    const [id = "job_none"] = [...runtime.jobs.keys()].slice(-1);
    const ignore = (): void => {};
    session.submit("echo", "unwanted", { signal }).catch(ignore);
    session.jobs({}, { signal }).page().catch(ignore);
    session.subscribe(id, { history: true, signal }).catch(ignore);
    if (world.draw() < 0.5) controller.abort();
    else world.timers.after(world.drawInt(300), () => controller.abort());
  };
  /** Another session's look at a job, from its beginning, to its end or for a while. */
  const watched: Promise<{ id: string; seqs: (number | undefined)[]; end: string }>[] = [];
  const watch = async (id: string) => {
    const seqs: (number | undefined)[] = [];
    try {
      const job = await watcher.subscribe(id, { history: true });
      if (world.draw() < 0.5) world.timers.after(world.drawInt(2_000), () => job.unsubscribe());
      for await (const event of job.events()) seqs.push(event.jobSeq);
      return { id, seqs, end: "end" };
    } catch (error) {
      return { id, seqs, end: (error as { code: string }).code };
    }
  };
  const running = () => [...runtime.jobs.values()].filter(({ status }) => status === "running");

  for (let step = 0; step < STEPS; step++) {
    const choice = world.draw();
    if (choice < 0.06) followed.push(follow());
    else if (choice < 0.1) runtime.sockets.filter(({ isOpen }) => isOpen)[world.drawInt(2)]?.cut(1006);
    else if (choice < 0.11) runtime.expireSessions();
    else if (choice < 0.14) waver();
    else if (choice < 0.18 && !lacking.includes("subscribe"))
      watched.push(watch(running()[world.drawInt(4)]?.id ?? "no"));
    else if (choice < 0.24) await world.advance(world.drawInt(500));
    const job = running()[world.drawInt(4)];
    if (job === undefined) continue;
    if (world.draw() < 0.03) runtime.succeed(job.id, { result: job.id });
    else runtime.emit(job.id, "log", { level: "info", message: "x" });
  }
  runtime.beforeSend = () => true;
  await world.advance(600_000);
  for (const job of running()) runtime.succeed(job.id, { result: job.id });
  await world.advance(600_000);

  for (const { id, seqs, result } of await Promise.all(followed)) {
    const events = (runtime.jobs.get(id)?.log.length ?? 0) - 1;
    expect(seqs).toEqual(Array.from({ length: events }, (_, index) => index + 1));
    expect(result).toBe(id);
  }
  for (const { id, seqs, end } of await Promise.all(watched)) {
    expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, index) => index + 1));
    if (end === "end") expect(seqs).toHaveLength((runtime.jobs.get(id)?.log.length ?? 0) - 1);
    else expect(end).toBe(id === "no" ? "JOB_NOT_FOUND" : "UNSUBSCRIBED");
  }
  // Every other job is of a call that was given up, and has been cancelled or came to its end before.
  const keys = runtime.sent("job.submit").map(({ payload }) => payload.idempotency_key);
  expect(runtime.jobs.size).toBeLessThanOrEqual(new Set(keys).size);
  const closing = Promise.all([session.close(), watcher.close()]);
  await world.settle();
  await closing;
  expect(world.pendingTimers).toBe(0);
}

for (let seed = 1; seed <= SEEDS; seed++) {
  it(`gives every job whole, once and in order, with seed ${seed}`, () => run(seed));
}
