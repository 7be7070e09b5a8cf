/** Seeded: connections dropped, sessions expired and frames lost at random moments, under several jobs at once. */
import { expect, it } from "vitest";
import { createFakeWorld } from "../testing/fake-world.ts";
import { connect } from "./connect.ts";
import { ScriptedRuntime } from "./test-runtime.ts";

const SEEDS = 60;
const STEPS = 150;

async function run(seed: number): Promise<void> {
  const world = createFakeWorld({ seed });
  const runtime = new ScriptedRuntime(world);
  const connecting = connect("ws://runtime", { token: "secret", world, webSocket: runtime.connect });
  await world.settle();
  const session = await connecting;
  runtime.beforeSend = () => world.draw() > 0.02;

  const followed: Promise<{ id: string; seqs: (number | undefined)[]; result: unknown }>[] = [];
  const follow = async () => {
    const job = await session.submit("echo", null);
    const seqs: (number | undefined)[] = [];
    for await (const event of job.events()) seqs.push(event.jobSeq);
    return { id: job.id, seqs, result: await job.result() };
  };
  const running = () => [...runtime.jobs.values()].filter(({ status }) => status === "running");

  for (let step = 0; step < STEPS; step++) {
    const choice = world.draw();
    if (choice < 0.06) followed.push(follow());
    else if (choice < 0.1) runtime.drop();
    else if (choice < 0.11) runtime.expireSessions();
    else if (choice < 0.2) await world.advance(world.drawInt(500));
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
  expect(runtime.jobs.size).toBe(followed.length);
  const closing = session.close();
  await world.settle();
  await closing;
  expect(world.pendingTimers).toBe(0);
}

for (let seed = 1; seed <= SEEDS; seed++) {
  it(`gives every job whole, once and in order, with seed ${seed}`, () => run(seed));
}
