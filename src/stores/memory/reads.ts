/** The memory store's reads: plain functions from tables to rows. */

import type { NodeId, SessionId } from "../../kernel/ids.ts";
import type { JobRecord } from "../../kernel/job/job-record.ts";
import { isTerminal } from "../../kernel/job/job-state.ts";
import {
  type Chunk,
  type ChunkQuery,
  type CommandRow,
  type JobQuery,
  PAGE_LENGTH,
  type Segment,
  type StoredSession,
} from "../../kernel/ports.ts";
import { cursorOf, headOf, type Tables } from "./tables.ts";

export function listJobs(tables: Tables, query: JobQuery): readonly JobRecord[] {
  const newestFirst = [...tables.jobs.values()].filter(({ principal }) => principal === query.principal).reverse();
  let from = 0;
  if (query.after !== undefined) {
    const position = newestFirst.findIndex(({ id }) => id === query.after);
    if (position < 0) return [];
    from = position + 1;
  }
  const found: JobRecord[] = [];
  let length = 0;
  for (const job of newestFirst.slice(from)) {
    if (found.length >= query.limit || length >= PAGE_LENGTH) break;
    if (!matches(job, query)) continue;
    found.push(job);
    length += job.submission.length;
  }
  return found;
}

function matches(job: JobRecord, { status, agent, createdAfter, createdBefore }: JobQuery): boolean {
  return (
    (status === undefined || status.includes(job.status)) &&
    (agent === undefined || agent === job.agent || agent === `${job.agent}@${job.version}`) &&
    (createdAfter === undefined || job.createdAt > createdAfter) &&
    (createdBefore === undefined || job.createdAt < createdBefore)
  );
}

export function readChunks(tables: Tables, { job, after, upTo = Infinity, limit }: ChunkQuery): readonly Chunk[] {
  const found: Chunk[] = [];
  let entries = 0;
  let length = 0;
  for (const chunk of tables.chunks.get(job) ?? []) {
    const lastSeq = chunk.firstSeq + chunk.kinds.length - 1;
    if (lastSeq <= after) continue;
    if (chunk.firstSeq > upTo || entries >= limit || length >= PAGE_LENGTH) break;
    found.push(chunk);
    length += lengthOf(chunk.payloads);
    entries += lastSeq - Math.max(after, chunk.firstSeq - 1);
  }
  return found;
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

export function readCommands(tables: Tables, node: NodeId): readonly CommandRow[] {
  return [...tables.commands.values()]
    .filter(({ row, outcome }) => outcome === null && (tables.trees.get(row.root)?.owner ?? node) === node)
    .map(({ row }) => row);
}

function lengthOf(payloads: readonly string[]): number {
  return payloads.reduce((sum, payload) => sum + payload.length, 0);
}
