/**
 * What the SQLite store costs by itself: `node --conditions=leasehold-source benchmarks/store.ts [directory …]`.
 * Without arguments it measures in the system's temporary directory and, where there is one, in memory (`/dev/shm`),
 * whose fsync costs nothing: the difference is the disk. Prints the median of 5 rounds, each in a new store.
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { CommitBatch, Rows, Store } from "../src/kernel/ports.ts";
import { createSystemWorld } from "../src/platform/system-world.ts";
import { aChunk, aFollow, aJob, anUpdate, aSegment, aSession } from "../src/stores/contract/rows.ts";
import { openSqliteStore } from "../src/stores/sqlite/sqlite-store.ts";

const ROUNDS = 5;
const IN_FLIGHT = 64;
const SESSION = "sess_01JABCDEFGHJKMNPQRSTVWXYZ0";
const INPUT = '{"text":"as short as a question"}';

interface Work {
  readonly setup: readonly CommitBatch[];
  /** Commits in order, made when they are due as in a runtime; `before` is committed first and not measured. */
  readonly steps: Iterable<Step>;
  readonly units: number;
}

interface Step {
  readonly before?: CommitBatch;
  readonly measured: CommitBatch;
}

interface Case {
  readonly name: string;
  readonly unit: string;
  readonly make: () => Work;
}

const { ids, clock } = createSystemWorld();
const batch = (rows: Partial<Rows>, roots: readonly string[] = []): CommitBatch => ({
  claims: roots.map((root) => ({ root, epoch: 1 })),
  rows,
});

function chatty(): Work {
  const job = ids.next("job");
  const events = 100_000;
  function* steps(): Iterable<Step> {
    for (let seq = 1; seq <= events; seq += 512) {
      const count = Math.min(512, events + 1 - seq);
      const first = Math.min(256, count);
      const chunks = [aChunk(job, seq, first), ...(count > first ? [aChunk(job, seq + first, count - first)] : [])];
      const segments = [aSegment(SESSION, seq, seq + count - 1, job, seq)];
      yield { measured: batch({ chunks, segments }, [job]) };
    }
  }
  const setup = [batch({ sessions: [aSession(SESSION)], jobs: [aJob(job)], follows: [aFollow(SESSION, job, 0)] })];
  return { setup, steps: steps(), units: events };
}

function submitting(jobs: readonly string[], key: () => string): CommitBatch {
  const fields = {
    session: SESSION,
    createdAt: clock.now(),
    status: "running",
    attempt: 1,
  } as const;
  return batch({
    jobs: jobs.map((id) => aJob(id, fields)),
    inputs: jobs.map((job) => ({ job, text: INPUT })),
    idempotency: jobs.map((job) => ({
      principal: "t/me",
      key: key(),
      digest: "e3b0c44298fc1c149afbf4c8996fb924".repeat(2),
      job,
    })),
    follows: jobs.map((job) => aFollow(SESSION, job, 0, true)),
  });
}

function ending(jobs: readonly string[], firstPlace: number): CommitBatch {
  const outcome = { status: "success", result: '{"text":"done"}' } as const;
  return batch(
    {
      jobUpdates: jobs.map((id) => anUpdate(id, { status: "success", startedAt: 1, endedAt: clock.now(), outcome })),
      chunks: jobs.map((job) => aChunk(job, 1, 1)),
      segments: jobs.map((job, index) => aSegment(SESSION, firstPlace + index, firstPlace + index, job, 1)),
    },
    jobs,
  );
}

const GROUPS = 300;
const SINGLES = 1000;
const setup = [batch({ sessions: [aSession(SESSION)] })];
const ordered = () => ids.next("msg");
const random = () => randomBytes(16).toString("hex");
const newJobs = (count: number) => Array.from({ length: count }, () => ids.next("job"));

function submits(key: () => string): Work {
  function* steps(): Iterable<Step> {
    for (let group = 0; group < GROUPS; group++) yield { measured: submitting(newJobs(IN_FLIGHT), key) };
  }
  return { setup, steps: steps(), units: GROUPS * IN_FLIGHT };
}

function ends(): Work {
  function* steps(): Iterable<Step> {
    for (let group = 0; group < GROUPS; group++) {
      const jobs = newJobs(IN_FLIGHT);
      yield { before: submitting(jobs, ordered), measured: ending(jobs, 1 + group * IN_FLIGHT) };
    }
  }
  return { setup, steps: steps(), units: GROUPS * IN_FLIGHT };
}

function oneByOne(): Work {
  function* steps(): Iterable<Step> {
    for (let place = 1; place <= SINGLES; place++) {
      const jobs = newJobs(1);
      yield { measured: submitting(jobs, ordered) };
      yield { measured: ending(jobs, place) };
    }
  }
  return { setup, steps: steps(), units: 2 * SINGLES };
}

function singleEntries(): Work {
  const job = ids.next("job");
  function* steps(): Iterable<Step> {
    for (let seq = 1; seq <= SINGLES; seq++) yield { measured: batch({ chunks: [aChunk(job, seq, 1)] }, [job]) };
  }
  return { setup: [batch({ jobs: [aJob(job)] })], steps: steps(), units: SINGLES };
}

const CASES: readonly Case[] = [
  { name: "chatty: 2 chunks of 256 entries and a segment", unit: "entry", make: chatty },
  { name: `submit ${IN_FLIGHT} jobs, keys in order of time`, unit: "job", make: () => submits(ordered) },
  { name: `submit ${IN_FLIGHT} jobs, random keys`, unit: "job", make: () => submits(random) },
  { name: `end ${IN_FLIGHT} jobs: chunk, segment, update`, unit: "job", make: ends },
  { name: "submit and end one job at a time", unit: "commit", make: oneByOne },
  { name: "one entry", unit: "commit", make: singleEntries },
];

interface Round {
  readonly perUnit: number;
  readonly p50: number;
  readonly p99: number;
}

async function measure(store: Store, { make }: Case): Promise<Round> {
  const work = make();
  for (const before of work.setup) await store.commit(before);
  const times: number[] = [];
  for (const { before, measured } of work.steps) {
    if (before !== undefined) await store.commit(before);
    const start = performance.now();
    await store.commit(measured);
    times.push((performance.now() - start) * 1000);
  }
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  return { perUnit: times.reduce((sum, time) => sum + time, 0) / work.units, p50: at(0.5), p99: at(0.99) };
}

async function medianRound(parent: string, each: Case): Promise<Round> {
  const rounds: Round[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const directory = mkdtempSync(join(parent, "leasehold-bench-"));
    const store = await openSqliteStore({ directory });
    try {
      rounds.push(await measure(store, each));
    } finally {
      await store.close();
      rmSync(directory, { recursive: true });
    }
  }
  return rounds.toSorted((a, b) => a.perUnit - b.perUnit)[Math.floor(ROUNDS / 2)] as Round;
}

const line = (name: string, each: string, p50: string, p99: string) =>
  console.log(name.padEnd(48) + each.padStart(18) + p50.padStart(16) + p99.padStart(12));

const given = process.argv.slice(2);
const parents = given.length > 0 ? given : [tmpdir(), "/dev/shm"].filter((path) => existsSync(path));
for (const parent of parents) {
  line(`\n${parent}`, "µs", "commit p50 µs", "p99 µs");
  for (const each of CASES) {
    const { perUnit, p50, p99 } = await medianRound(parent, each);
    line(each.name, `${perUnit.toFixed(2)}/${each.unit}`, p50.toFixed(0), p99.toFixed(0));
  }
}
