/** What the memory store holds: plain maps whose values are frozen copies, so that reads can hand them out as they are. */

import type { AuditEntry } from "../../kernel/audit/audit-row.ts";
import type { PermissionRow } from "../../kernel/authority/permission.ts";
import type { ArtifactId, JobId, NodeId, PermissionId, SessionId } from "../../kernel/ids.ts";
import type { JobRecord } from "../../kernel/job/job-record.ts";
import type {
  ArtifactRow,
  BudgetRow,
  Chunk,
  CommandRow,
  Follow,
  HoldRow,
  IdempotencyRow,
  Segment,
  SessionRow,
  StepRow,
} from "../../kernel/ports.ts";

export interface StoredTree {
  readonly epoch: number;
  /** Null until a node claims the tree: then it belongs to whichever node inserted it. */
  readonly owner: NodeId | null;
}

export interface StoredCommand {
  readonly row: CommandRow;
  readonly outcome: string | null;
}

export interface SessionState {
  readonly row: SessionRow;
  readonly released: number;
}

export interface Tables {
  /** In the order of insertion, which is the order of listings. */
  readonly jobs: Map<JobId, JobRecord>;
  readonly inputs: Map<JobId, string>;
  /** One entry for each root. */
  readonly trees: Map<JobId, StoredTree>;
  readonly chunks: Map<JobId, Chunk[]>;
  /** By `idempotencyId`. */
  readonly idempotency: Map<string, IdempotencyRow>;
  readonly steps: Map<JobId, StepRow[]>;
  readonly artifacts: Map<ArtifactId, ArtifactRow>;
  readonly budgets: Map<JobId, BudgetRow>;
  /** By `holdId`. */
  readonly holds: Map<string, HoldRow>;
  /** In the order of insertion, which is the order of listings. */
  readonly permissions: Map<PermissionId, PermissionRow>;
  /** In the order of insertion: oldest first. */
  readonly commands: Map<string, StoredCommand>;
  readonly sessions: Map<SessionId, SessionState>;
  /** In the order of `event_seq`. */
  readonly segments: Map<SessionId, Segment[]>;
  readonly follows: Map<SessionId, Follow[]>;
  /** By `seq`: oldest first. */
  readonly audit: Map<number, AuditEntry>;
}

export function emptyTables(): Tables {
  return {
    jobs: new Map(),
    inputs: new Map(),
    trees: new Map(),
    chunks: new Map(),
    idempotency: new Map(),
    steps: new Map(),
    artifacts: new Map(),
    budgets: new Map(),
    holds: new Map(),
    permissions: new Map(),
    commands: new Map(),
    sessions: new Map(),
    segments: new Map(),
    follows: new Map(),
    audit: new Map(),
  };
}

/** A copy that shares nothing that changes: maps and lists are new, the frozen rows are shared. */
export function copyTables(tables: Tables): Tables {
  return {
    jobs: new Map(tables.jobs),
    inputs: new Map(tables.inputs),
    trees: new Map(tables.trees),
    chunks: copyLists(tables.chunks),
    idempotency: new Map(tables.idempotency),
    steps: copyLists(tables.steps),
    artifacts: new Map(tables.artifacts),
    budgets: new Map(tables.budgets),
    holds: new Map(tables.holds),
    permissions: new Map(tables.permissions),
    commands: new Map(tables.commands),
    sessions: new Map(tables.sessions),
    segments: copyLists(tables.segments),
    follows: copyLists(tables.follows),
    audit: new Map(tables.audit),
  };
}

function copyLists<Key, Row>(lists: Map<Key, Row[]>): Map<Key, Row[]> {
  return new Map([...lists].map(([key, rows]) => [key, [...rows]]));
}

/** A principal holds no line break, so the pair is unambiguous. */
export function idempotencyId(principal: string, key: string): string {
  return `${principal}\n${key}`;
}

/** A job's id holds no line break either. */
export function holdId(job: JobId, id: string): string {
  return `${job}\n${id}`;
}

/** The highest `job_seq` on the job's log; 0 for none. */
export function headOf(tables: Tables, job: JobId): number {
  const last = tables.chunks.get(job)?.at(-1);
  return last === undefined ? 0 : last.firstSeq + last.kinds.length - 1;
}

/** A deep copy of JSON-like data that nobody can change, neither who handed it in nor who reads it. */
export function frozenCopy<Value>(value: Value): Value;
export function frozenCopy(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return Object.freeze(value.map((item) => frozenCopy(item)));
  return Object.freeze(Object.fromEntries(Object.entries(value).map(([name, member]) => [name, frozenCopy(member)])));
}

/** How far a follow has come, as far as these segments of its session tell. */
export function cursorOf({ job, since, cursor }: Follow, segments: readonly Segment[]): number {
  const own = segments.filter((segment) => segment.job === job && segment.firstEventSeq > since);
  return Math.max(cursor, ...own.map(({ lastJobSeq }) => lastJobSeq));
}
