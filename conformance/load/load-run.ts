/**
 * The load run: one flood at full speed, and at the same time one who stopped reading, one who acknowledges late,
 * subscribers that come and go, and many who do nothing, all against one real runtime. Meanwhile another session's pings
 * are timed. Every stream is held against its laws; times and memory are measured and told.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { createTokens, TOKEN_FILE } from "../../src/identity/token-file.ts";
import { createSystemWorld } from "../../src/platform/system-world.ts";
import { createFakeWorld } from "../../src/testing/fake-world.ts";
import { type MeasuredRuntime, type Memory, startMeasuredRuntime } from "../fuzz/runtime-under-fuzz.ts";
import { within } from "../kill/within.ts";
import { type Breach, Judge } from "../simulation/laws.ts";
import { type Comings, comeAndGo, planComings } from "./comings.ts";
import { LoadSession, type LoadSessionOptions } from "./load-session.ts";

export interface LoadOptions {
  /** How long the flood lasts. */
  readonly seconds: number;
  /** Decides who comes and goes when; the machine decides what that hits. */
  readonly seed: number;
  readonly idleSessions: number;
  readonly subscribers: number;
  /** Of all subscribers together. */
  readonly subscriptions: number;
  readonly onProgress?: (line: string) => void;
}

/** Memory after a collection, when the flood had so many events. */
interface Mark extends Memory {
  readonly events: number;
}

export interface LoadOutcome extends Comings {
  readonly breach?: Breach;
  /** Of the flood. */
  readonly events: number;
  /** Frames with an `event_seq` that arrived at all sessions together. */
  readonly delivered: number;
  /** Of another session, meanwhile. */
  readonly pings: readonly number[];
  /** At 100,000 and 1,000,000 events, or at the end of a flood that has fewer. */
  readonly marks: readonly Mark[];
}

const MARKS = [100_000, 1_000_000];
/** Of the flood's time: for how long somebody does not read, when the last subscription comes, how late one acknowledges. */
const PAUSED = 0.8;
const COMINGS_OVER = 0.9;
const LATE = 0.2;
/** The runtime closes a connection that leaves much unread for 300 s. */
const LONGEST_PAUSE_MS = 240_000;
const LATEST_MS = 10_000;
const LOOKS_PER_DELAY = 5;
/** Until everybody who follows the flood has it to its end. */
const END_MS = 300_000;
/** Connections being opened at a time. */
const OPENING = 32;

export async function runLoad(options: LoadOptions): Promise<LoadOutcome> {
  const data = await mkdtemp(join(tmpdir(), "leasehold-load-"));
  let runtime: MeasuredRuntime | undefined;
  try {
    const { token } = await createTokens(join(data, TOKEN_FILE), createSystemWorld()).create({ name: "load" });
    runtime = await startMeasuredRuntime(data, ["conformance/load/agents.ts"]);
    return await loadRuntime(runtime, token, options);
  } finally {
    await runtime?.stop();
    await rm(data, { recursive: true, force: true });
  }
}

async function loadRuntime(runtime: MeasuredRuntime, token: string, options: LoadOptions): Promise<LoadOutcome> {
  const { seconds, seed, onProgress = () => {} } = options;
  const { url } = runtime;
  const judge = new Judge();
  const dice = createFakeWorld({ seed });
  const open = (name: string, more: Partial<LoadSessionOptions> = {}): Promise<LoadSession> =>
    LoadSession.open({ url, token, judge, name, ...more });

  const idle: LoadSession[] = [];
  while (idle.length < options.idleSessions) {
    const batch = Math.min(OPENING, options.idleSessions - idle.length);
    idle.push(...(await Promise.all(Array.from({ length: batch }, (_, at) => open(`idle ${idle.length + at}`)))));
  }
  const source = await open("who submitted the flood");
  const paused = await open("who stopped reading", { withoutHeartbeat: true });
  const late = await open("who acknowledges late", { acknowledgesLater: true });
  const comers = await Promise.all(Array.from({ length: options.subscribers }, (_, at) => open(`subscriber ${at}`)));
  const pings = startPinging(url, token);
  onProgress(`${idle.length} idle sessions are open; a flood of ${seconds} s begins`);

  const marks = markMemory(runtime, source);
  const job = await source.submit("flood", { seconds });
  const ms = seconds * 1_000;
  const counts: Comings = { subscriptions: 0, withHistory: 0, resumed: 0 };
  const planned = comers.map((_, at) => countOf(options.subscriptions, options.subscribers, at));
  const plans = planned.map((count) => planComings(dice, count, ms * COMINGS_OVER));
  await Promise.all([
    stopReading(paused, job, Math.min(ms * PAUSED, LONGEST_PAUSE_MS)),
    late.subscribe(job, 0),
    ...comers.map((session, at) => comeAndGo(session, { job, head: () => source.jobSeq, counts }, plans[at] ?? [])),
    acknowledgeLate(late, Math.min(ms * LATE, LATEST_MS)),
  ]);
  const followers = [source, paused, late, ...comers.filter((_, at) => (planned[at] ?? 0) > 0)];
  const terminals = await within(
    END_MS,
    "not everybody got the flood to its end",
    Promise.all(followers.map(({ terminal }) => terminal)),
  );
  const milliseconds = await pings.stop();
  await Promise.all(idle.map((session) => session.ping()));

  const events = source.jobSeq - 1;
  for (const [at, { payload }] of terminals.entries()) {
    const emitted = (payload.result as { emitted?: number } | undefined)?.emitted;
    if (emitted !== events || followers[at]?.jobSeq !== source.jobSeq)
      judge.report("no-event-lost", `${followers[at]?.jobSeq} entries of ${emitted} events came to follower ${at}`);
  }
  if (idle.some(({ received }) => received > 0)) judge.report("only-what-is-followed", "an idle session got an event");
  if (judge.breach === undefined && !runtime.alive) judge.report("starts-and-stops", "the runtime is gone");
  const delivered = followers.reduce((sum, { received }) => sum + received, 0);
  const { breach } = judge;
  const outcome = {
    events,
    delivered,
    pings: milliseconds,
    marks: await marks.take(),
    ...counts,
    ...(breach && { breach }),
  };
  for (const session of [...idle, ...followers]) session.leave();
  return outcome;
}

/** Follows from the beginning, and then reads nothing for so long. */
async function stopReading(session: LoadSession, job: string, forMs: number): Promise<void> {
  await session.subscribe(job, 0);
  session.pause();
  await sleep(forMs);
  session.readOn();
}

/** Acknowledges what was received `lateMs` before, until the flood is over. */
async function acknowledgeLate(session: LoadSession, lateMs: number): Promise<void> {
  const places: number[] = [];
  let isOver = false;
  void session.terminal.then(() => {
    isOver = true;
  });
  while (!isOver) {
    await sleep(lateMs / LOOKS_PER_DELAY, undefined, { ref: false });
    if (places.push(session.eventSeq) > LOOKS_PER_DELAY) session.acknowledge(places.shift() ?? 0);
  }
}

/** How many of `total` fall to the one at this place, if each of `shares` gets about as many. */
function countOf(total: number, shares: number, place: number): number {
  return Math.floor((total * (place + 1)) / shares) - Math.floor((total * place) / shares);
}

/** Measures when the flood has as many events as `MARKS` name. */
function markMemory(runtime: MeasuredRuntime, source: LoadSession): { take(): Promise<readonly Mark[]> } {
  const measured: Promise<Mark>[] = [];
  const measure = async (events: number): Promise<Mark> => ({ events, ...(await runtime.memory()) });
  source.onEvent = (jobSeq) => {
    if (jobSeq === MARKS[measured.length]) measured.push(measure(jobSeq));
  };
  return {
    async take() {
      const marks = await Promise.all(measured);
      if (marks.length < MARKS.length) marks.push(await measure(source.jobSeq - 1));
      return marks;
    },
  };
}

function startPinging(url: string, token: string): { stop(): Promise<readonly number[]> } {
  const worker = new Worker(new URL("./pinger.ts", import.meta.url), { workerData: { url, token } });
  const told = Promise.withResolvers<readonly number[]>();
  worker.once("message", told.resolve);
  worker.once("error", told.reject);
  // Whoever stops it sees the failure.
  told.promise.catch(() => {});
  return {
    async stop() {
      worker.postMessage("stop");
      return await within(END_MS, "the pings did not end", told.promise);
    },
  };
}
