/**
 * Writes one batch into the tables. Throws at the first row that fits nothing; what was written until then is taken
 * back by the caller's `Undo`. The order of the groups is that of `sqlite/commit.ts`.
 */

import type { SessionId } from "../../kernel/ids.ts";
import type { Release, Rows } from "../../kernel/ports.ts";
import { StoreError } from "../../kernel/store-error.ts";
import { requireFilledSegment, requireWholeChunk } from "../row-checks.ts";
import { writeAudit } from "./audit.ts";
import { cursorOf, frozenCopy, headOf, holdId, idempotencyId, type Tables } from "./tables.ts";
import type { Undo } from "./undo.ts";

export function writeRows(tables: Tables, rows: Partial<Rows>, undo: Undo): void {
  writeJobs(tables, rows, undo);
  writeStreams(tables, rows, undo);
  writeCommands(tables, rows, undo);
  writeAudit(tables, rows, undo);
}

function writeJobs(tables: Tables, rows: Partial<Rows>, undo: Undo): void {
  for (const job of rows.jobs ?? []) {
    if (tables.jobs.has(job.id)) throw new StoreError(`job ${job.id} is already stored`);
    if (job.root === job.id) undo.put(tables.trees, job.id, { epoch: 1, owner: null });
    else if (!tables.trees.has(job.root)) throw new StoreError(`there is no job tree ${job.root}`);
    if (job.parent !== null) requireJob(tables, job.parent);
    undo.put(tables.jobs, job.id, frozenCopy(job));
  }
  for (const { job, text } of rows.inputs ?? []) {
    requireJob(tables, job);
    if (tables.inputs.has(job)) throw new StoreError(`the input of job ${job} is already stored`);
    undo.put(tables.inputs, job, text);
  }
  for (const { id, status, attempt, startedAt, endedAt, outcome } of rows.jobUpdates ?? []) {
    undo.put(tables.jobs, id, frozenCopy({ ...requireJob(tables, id), status, attempt, startedAt, endedAt, outcome }));
  }
  for (const row of rows.idempotency ?? []) {
    requireJob(tables, row.job);
    const id = idempotencyId(row.principal, row.key);
    if (tables.idempotency.has(id))
      throw new StoreError(`idempotency key ${row.key} of ${row.principal} is already stored`);
    undo.put(tables.idempotency, id, frozenCopy(row));
  }
  for (const chunk of rows.chunks ?? []) {
    requireWholeChunk(chunk);
    requireJob(tables, chunk.job);
    if (chunk.firstSeq <= headOf(tables, chunk.job)) {
      throw new StoreError(`job ${chunk.job} already has an entry with job_seq ${chunk.firstSeq}`);
    }
    undo.append(tables.chunks, chunk.job, frozenCopy(chunk));
  }
  for (const step of rows.steps ?? []) {
    requireJob(tables, step.job);
    const others = (tables.steps.get(step.job) ?? []).filter(({ name }) => name !== step.name);
    undo.put(tables.steps, step.job, [...others, frozenCopy(step)]);
  }
  for (const row of rows.artifacts ?? []) {
    if (tables.jobs.has(row.job) && !tables.artifacts.has(row.id)) undo.put(tables.artifacts, row.id, frozenCopy(row));
  }
  for (const row of rows.budgets ?? []) {
    requireJob(tables, row.job);
    undo.put(tables.budgets, row.job, frozenCopy(row));
  }
  for (const row of rows.holds ?? []) {
    requireJob(tables, row.job);
    undo.put(tables.holds, holdId(row.job, row.id), frozenCopy(row));
  }
  for (const row of rows.permissions ?? []) {
    requireJob(tables, row.job);
    undo.put(tables.permissions, row.id, frozenCopy(row));
  }
}

function writeStreams(tables: Tables, rows: Partial<Rows>, undo: Undo): void {
  for (const row of rows.sessions ?? []) {
    const released = tables.sessions.get(row.id)?.released ?? 0;
    undo.put(tables.sessions, row.id, { row: frozenCopy(row), released });
  }
  for (const follow of rows.follows ?? []) {
    requireSession(tables, follow.session);
    requireJob(tables, follow.job);
    const others = (tables.follows.get(follow.session) ?? []).filter(({ job }) => job !== follow.job);
    undo.put(tables.follows, follow.session, [...others, frozenCopy(follow)]);
  }
  for (const segment of rows.segments ?? []) {
    requireFilledSegment(segment);
    requireSession(tables, segment.session);
    requireJob(tables, segment.job);
    if (segment.firstEventSeq <= (tables.segments.get(segment.session)?.at(-1)?.lastEventSeq ?? 0)) {
      throw new StoreError(`session ${segment.session} already has an entry with event_seq ${segment.firstEventSeq}`);
    }
    undo.append(tables.segments, segment.session, frozenCopy(segment));
  }
  for (const { session, job } of rows.unfollows ?? []) {
    requireSession(tables, session);
    const others = (tables.follows.get(session) ?? []).filter((follow) => follow.job !== job);
    undo.put(tables.follows, session, others);
  }
  for (const release of rows.releases ?? []) freeSegments(tables, release, undo);
  for (const session of rows.endedSessions ?? []) {
    undo.remove(tables.sessions, session);
    undo.remove(tables.segments, session);
    undo.remove(tables.follows, session);
  }
}

/** Moves the cursors of freed segments into the follows. */
function freeSegments(tables: Tables, { session, upTo }: Release, undo: Undo): void {
  const state = tables.sessions.get(session);
  const segments = tables.segments.get(session) ?? [];
  const freed = segments.filter(({ lastEventSeq }) => lastEventSeq <= upTo);
  const lastFreed = freed.at(-1);
  if (state === undefined || lastFreed === undefined) return;

  const follows = (tables.follows.get(session) ?? []).map((follow) =>
    frozenCopy({ ...follow, cursor: cursorOf(follow, freed) }),
  );
  undo.put(tables.follows, session, follows);
  undo.put(tables.segments, session, segments.slice(freed.length));
  undo.put(tables.sessions, session, { row: state.row, released: lastFreed.lastEventSeq });
}

function writeCommands(tables: Tables, rows: Partial<Rows>, undo: Undo): void {
  for (const row of rows.commands ?? []) {
    if (tables.commands.has(row.id)) throw new StoreError(`command ${row.id} is already stored`);
    requireJob(tables, row.root);
    requireJob(tables, row.job);
    undo.put(tables.commands, row.id, { row: frozenCopy(row), outcome: null });
  }
  for (const { id, outcome } of rows.commandOutcomes ?? []) {
    const command = tables.commands.get(id);
    if (command === undefined || command.outcome !== null) throw new StoreError(`no command ${id} awaits an outcome`);
    undo.put(tables.commands, id, { row: command.row, outcome });
  }
}

function requireJob(tables: Tables, id: string) {
  const job = tables.jobs.get(id);
  if (job === undefined) throw new StoreError(`there is no job ${id}`);
  return job;
}

function requireSession(tables: Tables, id: SessionId): void {
  if (!tables.sessions.has(id)) throw new StoreError(`there is no session ${id}`);
}
