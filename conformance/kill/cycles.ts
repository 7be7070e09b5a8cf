/**
 * The kill test: a runtime process is killed at random moments under chatty jobs and started again on the same data,
 * while one client's session goes on across all of it. Everything that session sees is held against the stream laws, and
 * what every kill leaves of money against the logs.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createTokens, TOKEN_FILE } from "../../src/identity/token-file.ts";
import { createSystemWorld } from "../../src/platform/system-world.ts";
import { createFakeWorld } from "../../src/testing/fake-world.ts";
import { type Breach, Judge } from "../simulation/laws.ts";
import { checkCounters } from "./counters.ts";
import { checkJournal } from "./journal.ts";
import { type AskedJob, RawSession } from "./raw-session.ts";
import { findFreePort, type RuntimeProcess, startRuntime } from "./runtime-process.ts";

export interface KillTestOptions {
  readonly cycles: number;
  /** Decides when each kill comes and what is asked for; the machine decides what it hits. */
  readonly seed: number;
  onCycle?: (line: string) => void;
}

export interface KillTestOutcome {
  readonly cycles: number;
  readonly jobs: number;
  /** Frames with an `event_seq` that arrived, replayed ones included. */
  readonly events: number;
  /** Kills that came while a job that had just been submitted was under way. */
  readonly midStream: number;
  /** Jobs whose acceptance was lost, and came by a resubmission of the key. */
  readonly recovered: number;
  readonly stepsRun: number;
  /** Jobs whose money was added up after the last kill. */
  readonly counted: number;
  readonly breach?: Breach;
}

/** Latest moment of a kill after the jobs of its cycle were submitted; sometimes so early that acceptances are lost. */
const LATEST_KILL_MS = 300;
const EARLY_KILL_MS = 8;
const EARLY_KILLS = 0.25;
/** Of a purchaser, and of all that it hands on. */
const LEASE = { "agent.delegate": ["errand"], "cost.budget": ["USD:1.5", "credits:1000"] };
/** What only other jobs ask for. */
const CHILD = "errand@";
/** Longer than five attempts of a job with their pauses. */
const END_MS = 60_000;
const LOOK_MS = 20;

export async function runKillTest({ cycles, seed, onCycle }: KillTestOptions): Promise<KillTestOutcome> {
  const dice = createFakeWorld({ seed });
  const judge = new Judge();
  const directory = await mkdtemp(join(tmpdir(), "leasehold-kill-"));
  const data = join(directory, "data");
  const journal = join(directory, "journal.jsonl");
  await writeFile(journal, "");
  const port = await findFreePort();
  const { token } = await createTokens(join(data, TOKEN_FILE), createSystemWorld()).create({ name: "kill-test" });
  let runtime: RuntimeProcess = await startRuntime({ data, port, journal });
  const session = new RawSession({ url: runtime.url, token, judge });
  let midStream = 0;
  let recovered = 0;
  let counted = 0;

  async function cycle(number: number): Promise<void> {
    const lost = session.jobs.filter(({ id }) => id === undefined);
    await session.connect(dice.draw() < 0.3 ? dice.drawInt(session.received + 1) : session.received);
    for (const job of lost) session.submit(job);
    recovered += lost.length;
    const jobs: readonly AskedJob[] = ["persistent", "fragile", "purchaser"].map((agent) => ({
      key: `${agent} ${number}`,
      agent,
      ...(agent === "purchaser" && { lease: LEASE }),
    }));
    for (const job of jobs) session.submit(job);
    const killAfterMs = dice.drawInt((dice.draw() < EARLY_KILLS ? EARLY_KILL_MS : LATEST_KILL_MS) + 1);
    await sleep(killAfterMs);
    if (jobs.some((job) => job.id !== undefined && session.unfinished.includes(job))) midStream++;
    await runtime.kill();
    session.disconnect();
    counted = await checkCounters({ data, journal, judge });
    onCycle?.(
      `cycle ${number}: killed after ${killAfterMs} ms, ${session.received} events, ${session.unfinished.length} jobs to end`,
    );
    runtime = await startRuntime({ data, port, journal });
  }

  /** Everything that was asked for comes to its end once nothing kills the runtime any more. */
  async function finish(): Promise<void> {
    await session.connect(session.received);
    for (const job of session.jobs.filter(({ id }) => id === undefined)) session.submit(job);
    for (let waited = 0; session.unfinished.length > 0 && waited < END_MS; waited += LOOK_MS) await sleep(LOOK_MS);
    const late = session.unfinished.map(({ key, id }) => `${key} (${id})`);
    if (late.length > 0) judge.report("accepted-jobs-end", `not ended after ${END_MS} ms: ${late.join(", ")}`);
    await checkListing(session, judge);
  }

  try {
    for (let number = 1; number <= cycles && judge.breach === undefined; number++) await cycle(number);
    if (judge.breach === undefined) await finish();
    const stepsRun = await checkJournal(journal, judge);
    const { breach } = judge;
    const { jobs, events } = session;
    return { cycles, jobs: jobs.length, events, midStream, recovered, stepsRun, counted, ...(breach && { breach }) };
  } finally {
    session.disconnect();
    await runtime.kill();
    await rm(directory, { recursive: true, force: true });
  }
}

/** The runtime knows of the jobs that were asked for, each once, and of no other. */
async function checkListing(session: RawSession, judge: Judge): Promise<void> {
  const listed = new Map<string, string>();
  for (let cursor: unknown; ; ) {
    const { payload } = await session.request("session.list_jobs", cursor === undefined ? {} : { cursor });
    const jobs = payload.jobs as readonly { job_id: string; agent: string; status: string }[];
    for (const { job_id, agent, status } of jobs) if (!agent.startsWith(CHILD)) listed.set(job_id, status);
    cursor = payload.next_cursor;
    if (cursor === undefined) break;
  }
  const missing = session.jobs.filter(({ id }: AskedJob) => id === undefined || !listed.has(id));
  if (missing.length > 0)
    judge.report("accepted-jobs-end", `${missing.map(({ key }) => key).join(", ")} are not listed`);
  if (listed.size !== session.jobs.length) {
    judge.report("one-job-per-key", `${session.jobs.length} keys gave ${listed.size} jobs`);
  }
  for (const [id, status] of listed) {
    if (status === "pending" || status === "running")
      judge.report("accepted-jobs-end", `${id} has a terminal and is ${status}`);
  }
}
