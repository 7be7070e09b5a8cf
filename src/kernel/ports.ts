/**
 * What the kernel needs of a store: the rows it keeps, and `Store` itself.
 * Rows are the kernel's own shapes; how a store lays them out on disk is its own business.
 */

import type { AuditPage, AuditQuery, AuditRow } from "./audit/audit-row.ts";
import type { PermissionPage, PermissionQuery, PermissionRow } from "./authority/permission.ts";
import type { ArtifactId, JobId, NodeId, PermissionId, SessionId } from "./ids.ts";
import type { JobRecord } from "./job/job-record.ts";
import type { Outcome } from "./job/job-state.ts";
import type { PrincipalKey, PrincipalPattern } from "./principal.ts";

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
  /**
   * The whole text of a frame that tells the session about the job and is no entry of its log. It takes one place, and
   * both positions in the log are 0.
   */
  readonly frame?: string;
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

/** What tells sessions apart without reading what they follow. */
export type SessionSummary = Pick<SessionRow, "id" | "principal">;

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

/** What the agent was asked to do. By itself, so that nobody who reads a job, or changes it, carries its input along. */
export interface InputRow {
  readonly job: JobId;
  /** JSON text. */
  readonly text: string;
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

/** A job's name for some content (§8.2). The content stands once in `Artifacts`, whichever jobs have it. */
export interface ArtifactRow {
  readonly id: ArtifactId;
  /** Whose it is: who may see the job may fetch it, and it goes with the job. */
  readonly job: JobId;
  /** As the agent named it; null without a name. */
  readonly name: string | null;
  readonly contentType: string;
  /** In bytes. */
  readonly size: number;
  /** Of the content, in lower-case hex; names it in `Artifacts`. */
  readonly sha256: string;
  readonly createdAt: number;
}

/** How far the counters of a job's own budget have moved (§9.6). A job without a row has spent and promised nothing. */
export interface BudgetRow {
  readonly job: JobId;
  /** JSON text: currency → `{ spent, held }`, both exact decimals as text. */
  readonly counters: string;
}

/** Money of a job's budget set aside: by the agent (`reservation`), or as the budget of a child. */
export interface HoldRow {
  readonly job: JobId;
  /** Unique within the job. */
  readonly id: string;
  readonly kind: "child" | "reservation";
  /** By which a later attempt finds it again. */
  readonly key: string;
  /** Digest of what was asked for, to tell a repeat from a conflict. */
  readonly digest: string;
  /** JSON text: currency → exact decimal as text. */
  readonly amounts: string;
  /** The job it was held for; null for a reservation. */
  readonly child: JobId | null;
  /** `settled`: spent as far as it was, the rest given back. `released`: given back, and nothing was spent. */
  readonly state: "open" | "settled" | "released";
  /** The attempt that asked for it. */
  readonly attempt: number;
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
  /** Of jobs inserted by this very batch. */
  readonly inputs: readonly InputRow[];
  readonly jobUpdates: readonly JobUpdate[];
  readonly chunks: readonly Chunk[];
  readonly idempotency: readonly IdempotencyRow[];
  readonly steps: readonly StepRow[];
  /** Not written when the job is gone, or the id is taken: it stands for the same content then. */
  readonly artifacts: readonly ArtifactRow[];
  /** Inserted, or replaced by job. */
  readonly budgets: readonly BudgetRow[];
  /** Inserted, or replaced by job and id. */
  readonly holds: readonly HoldRow[];
  /** Inserted, or replaced by id. */
  readonly permissions: readonly PermissionRow[];
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
  /** In the order of the decisions. */
  readonly audit: readonly AuditRow[];
  /** What was audited before these times, in milliseconds since the epoch, goes: the oldest first, 1,000 rows at most. */
  readonly auditCutoffs: readonly number[];
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
  /** Only chunks that hold an entry of one of these kind codes, such as `RE`; whole, with all their entries. */
  readonly holding?: string;
}

/** One entry of a job's log, by itself. */
export interface LogEntry {
  readonly jobSeq: number;
  /** Its kind's code (`protocol/event-kinds.ts`). */
  readonly code: string;
  /** JSON text. */
  readonly payload: string;
}

/** How far back `readLatest` looks, in chunks: that many commits to the log, or more where they were long. */
export const LATEST_WITHIN_CHUNKS = 256;

/** Holds read at a time, of the many that a job may have. */
export const HOLDS_PAGE = 4_096;

/** No page goes on once it holds this many UTF-16 units: of payloads in chunks, of leases in jobs. */
export const PAGE_LENGTH = 1_048_576;

export interface JobQuery {
  /** Whose jobs: principal keys, and `tenant/*` for everyone of a tenant. None: no jobs. */
  readonly principals: readonly PrincipalPattern[];
  readonly status?: readonly JobRecord["status"][];
  /** Name, or `name@version`. */
  readonly agent?: string;
  readonly createdAfter?: number;
  readonly createdBefore?: number;
  /** Only the children of this job. */
  readonly parent?: JobId;
  /** Only the jobs of the tree with this root, which is one of them. */
  readonly root?: JobId;
  /** Newest first, beginning after this job; nothing when it is not among the jobs of `principals`. */
  readonly after?: JobId;
  /** Goes on from where an earlier page of the same query ended; `after` says nothing then. */
  readonly from?: JobPlace;
  /** At most this many; fewer once `PAGE_LENGTH` is reached, or many jobs were looked at. */
  readonly limit: number;
}

/** A place between two jobs in the order of all. Of the store's own making: it tells nothing that may leave the process. */
export type JobPlace = number;

export interface JobPage {
  readonly jobs: readonly JobRecord[];
  /** Where the page ended; undefined when nothing older is left. A page that goes on may be short, or empty. */
  readonly next: JobPlace | undefined;
}

/** Asks for ended trees whose history may go. */
export interface RemovableQuery {
  /** Trees all of whose jobs ended before this time, in milliseconds since the epoch. */
  readonly endedBefore: number;
  /** Goes on from where an earlier page of the same query ended. */
  readonly from?: JobPlace;
  readonly limit: number;
}

export interface RemovablePage {
  /** Oldest first. Never a tree with an unfinished job, nor one that some session's stream still needs. */
  readonly roots: readonly JobId[];
  /** Where the page ended; undefined when nothing younger is left. A page that goes on may be short, or empty. */
  readonly next: JobPlace | undefined;
}

/** What one step of removing came to. */
export interface RemovalStep {
  /** Trees that are gone. */
  readonly removed: number;
  /** Something of removed jobs is left: the next step, of whichever trees, goes on with it. */
  readonly more: boolean;
}

/**
 * Keeps everything. All writes of the kernel go through `commit`, which is atomic and durable when it resolves (for SQLite: survives
 * power loss). A rejected commit wrote nothing. The caller keeps one commit in flight at a time; reads may overlap.
 */
export interface Store {
  commit(batch: CommitBatch): Promise<CommitOutcome>;

  /** Takes over every unfinished tree that no live node owns, raising its epoch. */
  claimTrees(node: NodeId): Promise<readonly ClaimedTree[]>;

  readJob(id: JobId): Promise<JobRecord | undefined>;
  /** The unfinished jobs of the tree with this root: the root first, parents before their children. */
  readTree(root: JobId): Promise<readonly JobRecord[]>;
  /** What the job was submitted with, as JSON text; undefined for a job without input, or an unknown one. */
  readInput(job: JobId): Promise<string | undefined>;
  /** The highest committed `job_seq` of each job; 0 for a job without entries, or an unknown one. */
  readHeads(jobs: readonly JobId[]): Promise<ReadonlyMap<JobId, number>>;
  listJobs(query: JobQuery): Promise<JobPage>;
  readChunks(query: ChunkQuery): Promise<readonly Chunk[]>;
  /**
   * The latest entry whose kind code is one of `codes`, among the last `LATEST_WITHIN_CHUNKS` chunks of the job's log.
   * @param codes letters, such as `RE` for the terminals.
   */
  readLatest(job: JobId, codes: string): Promise<LogEntry | undefined>;
  readIdempotency(principal: PrincipalKey, key: string): Promise<IdempotencyRow | undefined>;
  readSteps(job: JobId): Promise<readonly StepRow[]>;
  /** The budgets of these jobs, as far as they have rows. */
  readBudgets(jobs: readonly JobId[]): Promise<ReadonlyMap<JobId, BudgetRow>>;
  /**
   * A job's holds of either kind, settled ones included, in the order of their ids (UTF-8 bytes), at most `HOLDS_PAGE`.
   * @param after go on behind the hold with this id. Default: from the first on.
   */
  readHolds(job: JobId, after?: string): Promise<readonly HoldRow[]>;
  readPermission(id: PermissionId): Promise<PermissionRow | undefined>;
  /** All that the job has asked for, in the order it asked. */
  readPermissionsOf(job: JobId): Promise<readonly PermissionRow[]>;
  listPermissions(query: PermissionQuery): Promise<PermissionPage>;
  /** How many bytes the payloads of a job's log and the values of its steps have together. */
  readLogBytes(job: JobId): Promise<number>;
  readArtifact(id: ArtifactId): Promise<ArtifactRow | undefined>;
  /** The bytes of all artifacts of a job together. */
  sumArtifacts(job: JobId): Promise<number>;
  /** Which of these contents some artifact names. At most 10,000 are asked for at once. */
  findNamedContents(digests: readonly string[]): Promise<ReadonlySet<string>>;

  readSession(id: SessionId): Promise<StoredSession | undefined>;
  /** Segments with places after `after`, in order of `event_seq`, at most `limit`. A first one may begin before. */
  readSegments(session: SessionId, after: number, limit: number): Promise<readonly Segment[]>;
  /** All sessions, oldest first. */
  listSessions(): Promise<readonly SessionSummary[]>;
  /**
   * What a session keeps of job logs, in bytes (UTF-8, a line break between payloads): of each job, the chunks from the
   * first to the last entry it has a place for that is not freed, and those after its cursor when it follows the job.
   */
  measureSession(id: SessionId): Promise<number>;

  listAudit(query: AuditQuery): Promise<AuditPage>;

  /**
   * Bytes in use, of what removed history leaves free nothing.
   * @throws StoreError, fatal, when what was opened is not there any more.
   */
  readSize(): Promise<number>;
  findRemovable(query: RemovableQuery): Promise<RemovablePage>;
  /**
   * Removes the history of ended trees, with their idempotency keys, steps and artifact rows; audit stays. A short
   * transaction of its own, which goes only so far: see `RemovalStep`. A tree that may not be removed is left as it is,
   * and so are those that would make the transaction long.
   */
  removeTrees(roots: readonly JobId[]): Promise<RemovalStep>;
  /** Removes commands made before this time, at most `limit`, oldest first; returns how many. */
  removeCommands(createdBefore: number, limit: number): Promise<number>;

  /** Commands without an outcome, for trees this node owns, oldest first. */
  readCommands(node: NodeId): Promise<readonly CommandRow[]>;
  /** The outcome of a command, or undefined while it has none. */
  readCommandOutcome(id: string): Promise<string | undefined>;
  /** Calls `listener` when there may be something new from another node; returns how to stop. Polling is the truth. */
  onWake(listener: () => void): () => void;

  /** Releases files, locks and connections. Idempotent. */
  close(): Promise<void>;
}

/** Content as it was put. Until `release` is called no sweep removes it: by then its row is committed, or never will be. */
export interface KeptContent {
  /** Lower-case hex. */
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
  /** Idempotent. */
  release(): void;
}

/** Bytes `from` to `to`, both included. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/**
 * Keeps contents of any size by their SHA-256. Which job has which is the store's to know (`ArtifactRow`): here is no
 * list of who refers to what, and nothing is removed but by `sweep`.
 */
export interface Artifacts {
  /**
   * Takes content in, piece by piece. Durable when it resolves. Rejects with what `content` threw, and keeps nothing then.
   */
  put(content: AsyncIterable<Uint8Array>): Promise<KeptContent>;
  /**
   * The content, or the bytes of it in `range`, which must lie within; undefined when it is not here. Whoever does not
   * read to the end calls `return` on the iterator. A sweep does not disturb a reader.
   */
  open(sha256: string, range?: ByteRange): Promise<AsyncIterable<Uint8Array> | undefined>;
  /**
   * Removes contents that nothing names, and what a crash left half written. Never one that is being put, or was put and
   * is not released.
   * @param findNamed asked for which of these digests are still named; at most 10,000 at a time.
   * @returns how many contents were removed.
   */
  sweep(findNamed: (digests: readonly string[]) => Promise<ReadonlySet<string>>): Promise<number>;
}
