/**
 * What the kernel needs of a store: the rows it keeps, and `Store` itself.
 * Rows are the kernel's own shapes; how a store lays them out on disk is its own business.
 */

import type { JobId, NodeId, SessionId } from "./ids.ts";
import type { JobRecord } from "./job/job-record.ts";
import type { Outcome } from "./job/job-state.ts";
import type { PrincipalKey } from "./principal.ts";

/** The parts of a job that change. Written at every transition; not for every event. */
export interface JobUpdate {
  readonly id: JobId;
  readonly status: JobRecord["status"];
  readonly attempt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /** The outcome fixed by `ending`; null once the terminal entry, which tells it, is on the log. */
  readonly outcome: Outcome | null;
}

/** A run of consecutive entries of one job's log, from one commit. At most 256 entries or 64 KiB; a longer entry stands alone. */
export interface Chunk {
  readonly job: JobId;
  /** `job_seq` of the first entry; positions begin at 1. */
  readonly firstSeq: number;
  /** One kind code per entry (`protocol/event-kinds.ts`); its length is the number of entries. */
  readonly kinds: string;
  /** Each entry's `payload` as the JSON text that goes on the wire. None contains a line break. */
  readonly payloads: readonly string[];
}

/** A run of places in one session's stream, filled by consecutive entries of one job's log. */
export interface Segment {
  readonly session: SessionId;
  /** The session's `event_seq` of the first entry the session sees; positions begin at 1. */
  readonly firstEventSeq: number;
  readonly lastEventSeq: number;
  readonly job: JobId;
  /** First and last `job_seq` covered; entries of kinds hidden from the session lie within and take no place. */
  readonly firstJobSeq: number;
  readonly lastJobSeq: number;
}

/** That a session receives a job's log, from which position, and whether it may cancel the job. */
export interface Follow {
  readonly session: SessionId;
  readonly job: JobId;
  /** The last `job_seq` already placed in the session's stream, as far as freed segments tell; 0 for none. */
  readonly cursor: number;
  readonly mayCancel: boolean;
  /**
   * The session's `event_seq` when the follow began: places up to it belong to an earlier follow of the same job, and
   * say nothing of this one's cursor.
   */
  readonly since: number;
}

export type Unfollow = Pick<Follow, "session" | "job">;

export interface SessionRow {
  readonly id: SessionId;
  readonly principal: PrincipalKey;
  /** Negotiated at the first welcome and fixed from then on. */
  readonly features: readonly string[];
  readonly createdAt: number;
  /** SHA-256 of the newest resume token, hex. */
  readonly newestToken: string;
  /** SHA-256 of the resume token presented last, hex: still valid until the newest is presented. */
  readonly presentedToken: string | null;
}

/** A session as read back: its row, how far its stream reaches, and what it follows. */
export interface StoredSession extends SessionRow {
  /** The highest `event_seq` placed so far; 0 for none. */
  readonly head: number;
  /** Segments up to this `event_seq` are gone; 0 for none. */
  readonly released: number;
  /** Follows of jobs that are unfinished, or whose log the session has not got to the end of; cursors are exact. */
  readonly follows: readonly Follow[];
}

/** Frees a session's segments up to `upTo`, and keeps the cursors they carried. */
export interface Release {
  readonly session: SessionId;
  readonly upTo: number;
}

/** That `key` of `principal` belongs to `job`; lives as long as the job. */
export interface IdempotencyRow {
  readonly principal: PrincipalKey;
  readonly key: string;
  /** Digest of the submission's parameters, to tell a repeat from a conflict. */
  readonly digest: string;
  readonly job: JobId;
}

/** What `ctx.step(name, …)` returned, as JSON text; null for `undefined`. */
export interface StepRow {
  readonly job: JobId;
  readonly name: string;
  readonly value: string | null;
}

/** What another node asks of the tree's owner. Answered by writing `outcome` in the owner's own commit. */
export interface CommandRow {
  readonly id: string;
  readonly root: JobId;
  readonly job: JobId;
  readonly kind: "cancel";
  /** JSON text: who asks, and why. */
  readonly body: string;
  readonly createdAt: number;
}

export interface CommandOutcome {
  readonly id: string;
  /** JSON text. */
  readonly outcome: string;
}

/** Everything a commit can write. A face adds its own rows to a kernel transition through `Contributor`. */
export interface Rows {
  readonly jobs: readonly JobRecord[];
  readonly jobUpdates: readonly JobUpdate[];
  readonly chunks: readonly Chunk[];
  readonly idempotency: readonly IdempotencyRow[];
  readonly steps: readonly StepRow[];
  readonly commands: readonly CommandRow[];
  readonly commandOutcomes: readonly CommandOutcome[];
  /** Inserted, or replaced by id. */
  readonly sessions: readonly SessionRow[];
  readonly segments: readonly Segment[];
  /** Inserted, or replaced by session and job. */
  readonly follows: readonly Follow[];
  /** Follows that end before their job does. */
  readonly unfollows: readonly Unfollow[];
  readonly releases: readonly Release[];
  /** Sessions that are over: their rows, segments and follows go. */
  readonly endedSessions: readonly SessionId[];
}

/** A tree this commit writes to, and the epoch under which this node owns it. */
export interface TreeClaim {
  readonly root: JobId;
  readonly epoch: number;
}

export interface CommitBatch {
  /** Every unfinished tree written to, except those whose root is inserted by this very batch. */
  readonly claims: readonly TreeClaim[];
  readonly rows: Partial<Rows>;
}

/** `refused` names the trees whose epoch has moved on; nothing of the batch was written then. */
export type CommitOutcome =
  | { readonly committed: true }
  | { readonly committed: false; readonly refused: readonly JobId[] };

export interface ClaimedTree {
  readonly claim: TreeClaim;
  /** The unfinished jobs of the tree, root first. */
  readonly jobs: readonly JobRecord[];
}

/** Where a job's log is read from; entries come in chunks as they were committed. */
export interface ChunkQuery {
  readonly job: JobId;
  /** Return entries with `job_seq` greater than this. A first chunk may begin before it. */
  readonly after: number;
  /** Return entries up to this `job_seq`; the last chunk may reach beyond. Default: the end. */
  readonly upTo?: number;
  /** Stop after the chunk that reaches this many entries, or `PAGE_LENGTH`, whichever comes first. */
  readonly limit: number;
}

/** No page goes on once it holds this many UTF-16 units: of payloads in chunks, of submissions in jobs. */
export const PAGE_LENGTH = 1_048_576;

export interface JobQuery {
  readonly principal: PrincipalKey;
  readonly status?: readonly JobRecord["status"][];
  /** Name, or `name@version`. */
  readonly agent?: string;
  readonly createdAfter?: number;
  readonly createdBefore?: number;
  /** Newest first, beginning after this job. */
  readonly after?: JobId;
  /** At most this many; fewer once `PAGE_LENGTH` is reached. */
  readonly limit: number;
}

/**
 * Keeps everything. All writes go through `commit`, which is atomic and durable when it resolves (for SQLite: survives
 * power loss). A rejected commit wrote nothing. The caller keeps one commit in flight at a time; reads may overlap.
 */
export interface Store {
  commit(batch: CommitBatch): Promise<CommitOutcome>;

  /** Takes over every unfinished tree that no live node owns, raising its epoch. */
  claimTrees(node: NodeId): Promise<readonly ClaimedTree[]>;

  readJob(id: JobId): Promise<JobRecord | undefined>;
  /** The highest committed `job_seq` of each job; 0 for a job without entries, or an unknown one. */
  readHeads(jobs: readonly JobId[]): Promise<ReadonlyMap<JobId, number>>;
  listJobs(query: JobQuery): Promise<readonly JobRecord[]>;
  readChunks(query: ChunkQuery): Promise<readonly Chunk[]>;
  readIdempotency(principal: PrincipalKey, key: string): Promise<IdempotencyRow | undefined>;
  readSteps(job: JobId): Promise<readonly StepRow[]>;

  readSession(id: SessionId): Promise<StoredSession | undefined>;
  /** Segments with places after `after`, in order of `event_seq`, at most `limit`. A first one may begin before. */
  readSegments(session: SessionId, after: number, limit: number): Promise<readonly Segment[]>;
  /** Ids of all sessions. */
  listSessions(): Promise<readonly SessionId[]>;

  /** Commands without an outcome, for trees this node owns, oldest first. */
  readCommands(node: NodeId): Promise<readonly CommandRow[]>;
  /** The outcome of a command, or undefined while it has none. */
  readCommandOutcome(id: string): Promise<string | undefined>;
  /** Calls `listener` when there may be something new from another node; returns how to stop. Polling is the truth. */
  onWake(listener: () => void): () => void;

  /** Releases files, locks and connections. Idempotent. */
  close(): Promise<void>;
}
