/** The memory store's reads: plain functions from tables to rows. */

import type { PermissionPage, PermissionQuery, PermissionRow } from "../../kernel/authority/permission.ts";
import type { JobId, NodeId, SessionId } from "../../kernel/ids.ts";
import { agentReference, type JobRecord } from "../../kernel/job/job-record.ts";
import { isTerminal } from "../../kernel/job/job-state.ts";
import { listedLength } from "../../kernel/job/list.ts";
import {
  type BudgetRow,
  type Chunk,
  type ChunkQuery,
  type CommandRow,
  HOLDS_PAGE,
  type HoldRow,
  type JobPage,
  type JobQuery,
  LATEST_WITHIN_CHUNKS,
  type LogEntry,
  PAGE_LENGTH,
  type Segment,
  type StoredSession,
} from "../../kernel/ports.ts";
import { matchesPrincipal } from "../../kernel/principal.ts";
import { latestOf } from "../latest-of.ts";
import { cursorOf, headOf, type Tables } from "./tables.ts";

export function listJobs(tables: Tables, query: JobQuery): JobPage {
  const all = [...tables.jobs.values()];
  const isOwn = ({ principal }: JobRecord) => query.principals.some((pattern) => matchesPrincipal(pattern, principal));
  let place = query.from ?? all.length;
  if (query.from === undefined && query.after !== undefined) {
    place = all.findIndex((job) => job.id === query.after && isOwn(job));
  }
  const jobs: JobRecord[] = [];
  let length = 0;
  while (place > 0) {
    if (jobs.length >= query.limit || length >= PAGE_LENGTH) return { jobs, next: place };
    const job = all[--place];
    if (job === undefined || !isOwn(job) || !matches(job, query)) continue;
    jobs.push(job);
    length += listedLength(job);
  }
  return { jobs, next: undefined };
}

function matches(job: JobRecord, { status, agent, createdAfter, createdBefore, parent, root }: JobQuery): boolean {
  return (
    (status === undefined || status.includes(job.status)) &&
    (agent === undefined || agent === job.agent || agent === agentReference(job)) &&
    (createdAfter === undefined || job.createdAt > createdAfter) &&
    (createdBefore === undefined || job.createdAt < createdBefore) &&
    (parent === undefined || job.parent === parent) &&
    (root === undefined || job.root === root)
  );
}

export function readChunks(
  tables: Tables,
  { job, after, upTo = Infinity, limit, holding }: ChunkQuery,
): readonly Chunk[] {
  const found: Chunk[] = [];
  let entries = 0;
  let length = 0;
  for (const chunk of tables.chunks.get(job) ?? []) {
    const lastSeq = chunk.firstSeq + chunk.kinds.length - 1;
    if (lastSeq <= after) continue;
    if (holding !== undefined && ![...chunk.kinds].some((code) => holding.includes(code))) continue;
    if (chunk.firstSeq > upTo || entries >= limit || length >= PAGE_LENGTH) break;
    found.push(chunk);
    length += lengthOf(chunk.payloads);
    entries += lastSeq - Math.max(after, chunk.firstSeq - 1);
  }
  return found;
}

export function readLatest(tables: Tables, job: JobId, codes: string): LogEntry | undefined {
  for (const chunk of (tables.chunks.get(job) ?? []).slice(-LATEST_WITHIN_CHUNKS).reverse()) {
    const found = latestOf(chunk, codes);
    if (found !== undefined) return found;
  }
  return undefined;
}

export function readSession(tables: Tables, id: SessionId): StoredSession | undefined {
  const state = tables.sessions.get(id);
  if (state === undefined) return undefined;
  const segments = tables.segments.get(id) ?? [];
  const follows = (tables.follows.get(id) ?? [])
    .map((follow) => ({ ...follow, cursor: cursorOf(follow, segments) }))
    .filter(({ job, cursor }) => cursor < headOf(tables, job) || !hasEnded(tables, job));
  return { ...state.row, head: segments.at(-1)?.lastEventSeq ?? state.released, released: state.released, follows };
}

function hasEnded(tables: Tables, job: string): boolean {
  const record = tables.jobs.get(job);
  return record !== undefined && isTerminal(record.status);
}

export function readSegments(tables: Tables, session: SessionId, after: number, limit: number): readonly Segment[] {
  const segments = tables.segments.get(session) ?? [];
  return segments.filter(({ lastEventSeq }) => lastEventSeq > after).slice(0, Math.max(0, limit));
}

export function measureSession(tables: Tables, session: SessionId): number {
  const segments = (tables.segments.get(session) ?? []).filter(({ frame }) => frame === undefined);
  const ranges = new Map<string, { first: number; last: number }>();
  const keep = (job: string, first: number, last: number): void => {
    const range = ranges.get(job) ?? { first, last };
    ranges.set(job, { first: Math.min(range.first, first), last: Math.max(range.last, last) });
  };
  for (const { job, firstJobSeq, lastJobSeq } of segments) keep(job, firstJobSeq, lastJobSeq);
  for (const { job, cursor } of tables.follows.get(session) ?? []) {
    keep(job, Math.max(cursor, ranges.get(job)?.last ?? 0) + 1, Number.POSITIVE_INFINITY);
  }
  let bytes = 0;
  for (const [job, { first, last }] of ranges) {
    for (const { firstSeq, payloads } of tables.chunks.get(job) ?? []) {
      if (firstSeq > last || firstSeq + payloads.length - 1 < first) continue;
      bytes += Buffer.byteLength(payloads.join("\n"));
    }
  }
  return bytes;
}

export function readCommands(tables: Tables, node: NodeId): readonly CommandRow[] {
  return [...tables.commands.values()]
    .filter(
      ({ row, outcome }) =>
        outcome === null && tables.jobs.has(row.job) && (tables.trees.get(row.root)?.owner ?? node) === node,
    )
    .map(({ row }) => row);
}

export function readBudgets(tables: Tables, jobs: readonly JobId[]): ReadonlyMap<JobId, BudgetRow> {
  const wanted = new Set(jobs);
  return new Map([...tables.budgets].filter(([job]) => wanted.has(job)));
}

export function readHolds(tables: Tables, job: JobId, after: string): readonly HoldRow[] {
  const compare = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
  return [...tables.holds.values()]
    .filter((hold) => hold.job === job && compare(hold.id, after) > 0)
    .sort((a, b) => compare(a.id, b.id))
    .slice(0, HOLDS_PAGE);
}

/** Where a page ends is the place of its last row among all, from 1. */
export function listPermissions(
  tables: Tables,
  { principals, states, job, before = Number.MAX_SAFE_INTEGER, limit }: PermissionQuery,
): PermissionPage {
  const all = [...tables.permissions.values()];
  const permissions: PermissionRow[] = [];
  let place = Math.min(before, all.length + 1);
  while (place > 1) {
    if (permissions.length >= limit) return { permissions, next: place };
    const row = all[--place - 1];
    if (row === undefined || (states !== undefined && !states.includes(row.state))) continue;
    if (job !== undefined && row.job !== job) continue;
    if (principals.some((pattern) => matchesPrincipal(pattern, row.principal))) permissions.push(row);
  }
  return { permissions, next: undefined };
}

export function sumArtifacts(tables: Tables, job: JobId): number {
  let sum = 0;
  for (const row of tables.artifacts.values()) if (row.job === job) sum += row.size;
  return sum;
}

export function findNamedContents(tables: Tables, digests: readonly string[]): ReadonlySet<string> {
  const named = new Set([...tables.artifacts.values()].map(({ sha256 }) => sha256));
  return new Set(digests.filter((digest) => named.has(digest)));
}

function lengthOf(payloads: readonly string[]): number {
  return payloads.reduce((sum, payload) => sum + payload.length, 0);
}
