/**
 * An unfinished job in memory: its state, the entries waiting for their commit, and who waits for them. What stands
 * here may be ahead of the disk; nobody outside hears of it before `committed`.
 */

import type { Clock } from "../../platform/world.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { EntryKind } from "../../protocol/event-kinds.ts";
import { parseAmount } from "../authority/decimal.ts";
import type { Operation } from "../authority/guard.ts";
import type { PermissionRow } from "../authority/permission.ts";
import type { Purse } from "../authority/purse.ts";
import type { JobId } from "../ids.ts";
import { EntryBuffer, eventPayload, terminalPayload } from "../log/entry.ts";
import type { GroupCommit, Staged, TransitionSource } from "../log/group-commit.ts";
import type {
  ArtifactRow,
  BudgetRow,
  HoldRow,
  IdempotencyRow,
  InputRow,
  JobUpdate,
  Rows,
  StepRow,
  TreeClaim,
} from "../ports.ts";
import type { JobRecord } from "./job-record.ts";
import { type Decision, decide, isTerminal, type JobCommand, type JobState } from "./job-state.ts";
import { isCost, type Metric, metricBody, remainingBody } from "./metric.ts";
import { JobPermissions, type PermissionSurroundings } from "./permissions.ts";
import { Reservations } from "./reservations.ts";

/** How much one job may have waiting for a commit before emission waits: two full chunks, about. */
const MAX_BUFFERED_ENTRIES = 512;
const MAX_BUFFERED_BYTES = 262_144;
/** How much all jobs of a tree may have waiting before their emissions wait: they may have to end in one commit. */
const MAX_TREE_BUFFERED_BYTES = 1_048_576;
/** How much an agent may emit without awaiting room, in UTF-16 units, before its next emission is refused. */
export const MAX_UNAWAITED_LENGTH = 67_108_864;

/** Called once the transition it belongs to is durable (`undefined`, and the job after it), or lost (the error). Must not throw. */
export type CommitListener = (error: unknown | undefined, job: JobRecord) => void;

interface Waiters {
  readonly listeners: readonly CommitListener[];
  readonly room: PromiseWithResolvers<void> | undefined;
}

/** What becomes an unfinished job in memory. */
export interface NewActiveJob {
  readonly record: JobRecord;
  readonly claim: TreeClaim;
  /** Of a child. */
  readonly parent?: ActiveJob;
  /** Of a child: what its parent's log and counters know of it. */
  readonly hold?: HoldRow;
  /** The job's budget counters; absent where nothing is budgeted, here or above. */
  readonly purse?: Purse;
  /** The counters as they are stored; absent while none has moved. */
  readonly budget?: BudgetRow;
  /** What the job has set aside, in earlier attempts. */
  readonly holds?: readonly HoldRow[];
  /** What the job has asked for, in earlier attempts. */
  readonly permissions?: readonly PermissionRow[];
  /** The `job_seq` of the last durable entry. */
  readonly head: number;
  /** True for a job that the next commit inserts. */
  readonly accepted: boolean;
  /** Of a job that is accepted, unless it has none. */
  readonly input?: InputRow;
  readonly idempotency?: IdempotencyRow;
}

/** What all jobs of a table share. */
export interface Surroundings extends PermissionSurroundings {
  readonly clock: Clock;
  readonly commits: GroupCommit;
  readonly onCommitted: (job: ActiveJob, ended: boolean) => void;
  readonly onLost: (job: ActiveJob, error: unknown) => void;
}

/** The kind of the event that tells of a permission, as it is asked for and as it is decided. */
const PERMISSION_EVENT = "x-leasehold.permission";

/** Nearly all jobs have no children and no holds, and need nothing of their own to say so. */
const NO_CHILDREN: ReadonlySet<ActiveJob> = new Set();
const NO_HOLDS: readonly HoldRow[] = [];

export class ActiveJob implements TransitionSource {
  readonly claim: TreeClaim;
  readonly parent: ActiveJob | undefined;
  readonly hold: HoldRow | undefined;
  readonly purse: Purse | undefined;
  /** What earlier attempts reserved and delegated. */
  readonly earlierHolds: readonly HoldRow[];
  readonly #surroundings: Surroundings;
  readonly #buffer: EntryBuffer;
  /** The root of its tree. */
  readonly #top: ActiveJob;
  #children: Set<ActiveJob> | undefined;
  #liveChildren = 0;
  /** Of a root: of all jobs of its tree. Counted as they come and go, since every delegation asks. */
  #liveJobs = 0;
  #treeBytes = 0;
  #isTied: boolean;
  #state: JobState;
  /** Made anew when asked for after a change of state. */
  #record: JobRecord;
  #recordState: JobState;
  #durable: JobRecord | undefined;
  #accepted: boolean;
  #stateChanged = false;
  #ended = false;
  /** The terminal is on the log, committed or not: nothing comes after it. */
  #hasTerminal = false;
  #evicted = false;
  #input: InputRow | undefined;
  #idempotency: IdempotencyRow | undefined;
  /** These are absent for nearly all commits. */
  #steps: StepRow[] | undefined;
  /** UTF-16 units of the values of `#steps`. */
  #stepLength = 0;
  #artifacts: ArtifactRow[] | undefined;
  #holds: HoldRow[] | undefined;
  #budget: BudgetRow | undefined;
  #durableBudget: BudgetRow | undefined;
  #reservations: Reservations | undefined;
  #permissions: JobPermissions | undefined;
  #permissionRows: PermissionRow[] | undefined;
  #listeners: CommitListener[] = [];
  #room: PromiseWithResolvers<void> | undefined;

  constructor(job: NewActiveJob, surroundings: Surroundings) {
    const { record } = job;
    this.#state = stateOf(record);
    this.#record = record;
    this.#recordState = this.#state;
    this.#durable = job.accepted ? undefined : record;
    this.claim = job.claim;
    this.parent = job.parent;
    this.hold = job.hold;
    this.purse = job.purse;
    this.#durableBudget = job.budget;
    this.earlierHolds = job.holds ?? NO_HOLDS;
    this.#top = job.parent === undefined ? this : job.parent.#top;
    if (!isTerminal(record.status)) this.#top.#liveJobs++;
    if (job.parent !== undefined) job.parent.#adopt(this);
    this.#buffer = new EntryBuffer(job.head);
    this.#accepted = job.accepted;
    this.#isTied = job.accepted;
    this.#input = job.input;
    this.#idempotency = job.idempotency;
    this.#surroundings = surroundings;
    if (job.permissions !== undefined && job.permissions.length > 0) {
      this.#permissions = new JobPermissions(this, job.permissions, surroundings);
    }
  }

  get root(): JobId {
    return this.claim.root;
  }

  /** Jobs delegated by this one, until their ends are durable. */
  get children(): ReadonlySet<ActiveJob> {
    return this.#children ?? NO_CHILDREN;
  }

  /** Of `children`, those that have not ended. */
  get liveChildren(): number {
    return this.#liveChildren;
  }

  /** Jobs of the whole tree that have not ended. */
  get liveJobsOfTree(): number {
    return this.#top.#liveJobs;
  }

  get isTied(): boolean {
    return this.#isTied;
  }

  get record(): JobRecord {
    if (this.#recordState !== this.#state) {
      this.#record = { ...this.#record, ...this.#state };
      this.#recordState = this.#state;
    }
    return this.#record;
  }

  /** The job as it was last committed, which is all that anyone outside may hear of; undefined before its first commit. */
  get durable(): JobRecord | undefined {
    return this.#durable;
  }

  /** How far the counters had moved at the last commit, as `durable`; undefined while none had. */
  get durableBudget(): BudgetRow | undefined {
    return this.#durableBudget;
  }

  /** What the job has set aside; made for the first who asks. */
  get reservations(): Reservations {
    this.#reservations ??= new Reservations(this, this.earlierHolds);
    return this.#reservations;
  }

  /** What the job has asked for; made for the first who asks. */
  get permissions(): JobPermissions {
    this.#permissions ??= new JobPermissions(this, [], this.#surroundings);
    return this.#permissions;
  }

  /** Whether a live grant is for exactly this. */
  covers(operation: Operation, canonicalTarget: string): boolean {
    return this.#permissions?.covers(operation, canonicalTarget) ?? false;
  }

  /** Moves the state machine; undefined when the command changed nothing. Entries it asks for are on the log after. */
  apply(command: JobCommand): Decision | undefined {
    const now = this.#surroundings.clock.now();
    const decision = decide(this.#state, command, now);
    if (decision === undefined || this.#evicted) return undefined;
    this.#state = decision.state;
    this.#stateChanged = true;
    if (command.type === "end" && (this.#reservations !== undefined || this.earlierHolds.length > 0)) {
      this.reservations.conclude();
    }
    if (command.type === "end") this.#permissions?.conclude();
    if (decision.entry === "restarted") {
      const body = JSON.stringify({ phase: "restarted", message: `attempt ${decision.state.attempt}` });
      this.#push("status", eventPayload("status", now, this.#buffer.nextSeq, body));
    } else if (decision.entry === "terminal") {
      this.#takeBudget();
      const kind = this.#state.status === "success" ? "result" : "error";
      this.#push(kind, terminalPayload(this.record, this.#buffer.nextSeq));
      this.#ended = true;
      this.#hasTerminal = true;
      this.#top.#liveJobs--;
      if (this.parent !== undefined) this.parent.#liveChildren--;
    }
    this.tie();
    return decision;
  }

  /** Appends an event entry. Returns undefined while there is room, else a promise of room. */
  append(kind: EntryKind, name: string, body: string): Promise<void> | undefined {
    const buffer = this.#buffer;
    assertAwaited(buffer.bytes);
    this.#push(kind, eventPayload(name, this.#surroundings.clock.now(), buffer.nextSeq, body));
    this.touch();
    const hasRoom = buffer.count < MAX_BUFFERED_ENTRIES && buffer.bytes < MAX_BUFFERED_BYTES;
    if (hasRoom && this.#top.#treeBytes < MAX_TREE_BUFFERED_BYTES) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  /**
   * Appends a metric. A cost in a budgeted currency moves the counters with it, in this turn and this commit.
   * @param body what `metricBody` made of it.
   * @returns as `append`.
   */
  report({ name, value, unit }: Metric, body: string): Promise<void> | undefined {
    const isCounted = unit !== undefined && isCost(name) && this.purse?.find(unit) !== undefined;
    const amount = isCounted ? parseAmount(value, "metric.value") : 0n;
    const room = this.append("metric", "metric", body);
    if (isCounted) {
      this.purse?.charge(unit, amount);
      this.tie();
    }
    return room;
  }

  /** The runtime's own way to `report`: for what is spent though nobody is there to wait for room. */
  charge(metric: Metric & { readonly unit: string }): void {
    this.#tell(metricBody(metric));
    this.purse?.charge(metric.unit, parseAmount(metric.value, "metric.value"));
    this.tie();
  }

  addStep(step: StepRow): void {
    if (this.#steps === undefined) {
      this.#steps = [];
      this.#stepLength = 0;
    }
    assertAwaited(this.#stepLength);
    this.#stepLength += step.value?.length ?? 0;
    this.#steps.push(step);
    this.touch();
  }

  addArtifact(row: ArtifactRow): void {
    this.#artifacts ??= [];
    this.#artifacts.push(row);
    this.touch();
  }

  /** Calls `listener` when everything up to now is durable, or lost. */
  whenCommitted(listener: CommitListener): void {
    this.#listeners.push(listener);
    this.touch();
  }

  touch(): void {
    if (this.#evicted) return;
    this.#surroundings.commits.touch(this);
  }

  /** As `touch`, for what goes into one commit with what other jobs of the tree have: states, counters, holds. */
  tie(): void {
    this.#isTied = true;
    this.touch();
  }

  /** Puts what the next commit has of this job behind what it has of others by now: of its children, which end first. */
  touchLast(): void {
    if (this.#evicted) return;
    this.#surroundings.commits.touchLast(this);
  }

  /** Keeps what the job's counters have promised, with the next commit. */
  addHold(hold: HoldRow): void {
    this.#holds ??= [];
    this.#holds.push(hold);
    this.tie();
  }

  /** Keeps what a permission has become, with the event that tells of it. */
  addPermission(row: PermissionRow, body: string): void {
    if (this.#hasTerminal) return;
    this.#permissionRows ??= [];
    this.#permissionRows.push(row);
    const payload = eventPayload(PERMISSION_EVENT, this.#surroundings.clock.now(), this.#buffer.nextSeq, body);
    this.#push("vendor", payload);
    this.tie();
  }

  /** Takes the job out of memory without a trace: its tree moved away, or its commit failed. */
  evict(error: unknown): void {
    if (this.#evicted) return;
    this.#evicted = true;
    this.#permissions?.release();
    this.#leaveParent();
    this.#finish(this.#takeWaiters(), error);
  }

  stage(): Staged | undefined {
    if (this.#evicted) return undefined;
    this.#takeBudget();
    const { record } = this;
    const accepted = this.#accepted;
    const moved = this.#stateChanged;
    const ended = this.#ended;
    const length =
      this.#buffer.bytes + (this.#steps === undefined ? 0 : this.#stepLength) + (this.#input?.text.length ?? 0);
    this.#top.#treeBytes -= this.#buffer.bytes;
    const chunks = this.#buffer.take(record.id);
    const rows: { -readonly [Table in keyof Rows]?: Rows[Table] } = {};
    if (accepted) rows.jobs = [record];
    // The terminal entry tells the outcome: to keep it in the job's row as well would store every result twice.
    else if (this.#stateChanged) rows.jobUpdates = [updateOf(record, ended)];
    if (chunks.length > 0) rows.chunks = chunks;
    if (this.#steps !== undefined) rows.steps = this.#steps;
    if (this.#artifacts !== undefined) rows.artifacts = this.#artifacts;
    if (this.#holds !== undefined) rows.holds = this.#holds;
    const permissions = this.#permissionRows;
    if (permissions !== undefined) rows.permissions = permissions;
    const budget = this.#budget;
    if (budget !== undefined) rows.budgets = [budget];
    if (this.#input !== undefined) rows.inputs = [this.#input];
    if (this.#idempotency !== undefined) rows.idempotency = [this.#idempotency];
    this.#accepted = false;
    this.#isTied = false;
    this.#stateChanged = false;
    this.#ended = false;
    this.#steps = undefined;
    this.#artifacts = undefined;
    this.#holds = undefined;
    this.#permissionRows = undefined;
    this.#budget = undefined;
    this.#input = undefined;
    this.#idempotency = undefined;
    const waiters = this.#takeWaiters();

    return {
      root: record.root,
      claim: accepted && record.root === record.id ? undefined : this.claim,
      transition:
        permissions === undefined
          ? { job: record, accepted, moved, ended, chunks }
          : { job: record, accepted, moved, ended, chunks, permissions },
      rows,
      length,
      committed: () => {
        this.#durable = record;
        if (budget !== undefined) this.#durableBudget = budget;
        if (ended) this.#leaveParent();
        this.#finish(waiters, undefined);
        this.#surroundings.onCommitted(this, ended);
      },
      failed: (error) => {
        // The agent is shut out before it hears that what it waits for is lost: it cannot go on as if nothing were.
        this.#surroundings.onLost(this, error);
        this.#finish(waiters, error);
      },
    };
  }

  /** What moved in the counters goes with the next commit, and is told on the log once, before the terminal (§9.6). */
  #takeBudget(): void {
    const changes = this.purse?.takeChanges();
    if (changes === undefined) return;
    this.#budget = changes.row;
    if (this.#hasTerminal) return;
    for (const { currency, remaining } of changes.remaining) this.#tell(remainingBody(currency, remaining));
  }

  #tell(body: string): void {
    this.#push("metric", eventPayload("metric", this.#surroundings.clock.now(), this.#buffer.nextSeq, body));
  }

  #push(kind: EntryKind, payload: string): void {
    this.#buffer.push(kind, payload);
    this.#top.#treeBytes += payload.length;
  }

  #adopt(child: ActiveJob): void {
    this.#children ??= new Set();
    this.#children.add(child);
    if (!isTerminal(child.#state.status)) this.#liveChildren++;
  }

  #leaveParent(): void {
    const { parent } = this;
    if (parent !== undefined) parent.#children?.delete(this);
  }

  #takeWaiters(): Waiters {
    const waiters = { listeners: this.#listeners, room: this.#room };
    this.#listeners = [];
    this.#room = undefined;
    return waiters;
  }

  /** Room is given either way: an emission that waits for it fails at its next step, by the job having stopped. */
  #finish(waiters: Waiters, error: unknown): void {
    for (const listener of waiters.listeners) listener(error, this.#durable ?? this.record);
    waiters.room?.resolve();
  }
}

function updateOf({ id, status, attempt, startedAt, endedAt, outcome }: JobRecord, ended: boolean): JobUpdate {
  return { id, status, attempt, startedAt, endedAt, outcome: ended ? null : outcome };
}

function stateOf({ status, attempt, startedAt, endedAt, outcome }: JobRecord): JobState {
  return { status, attempt, startedAt, endedAt, outcome };
}

/** @throws CodedError INTERNAL_ERROR when so much waits for its commit already. */
function assertAwaited(length: number): void {
  if (length <= MAX_UNAWAITED_LENGTH) return;
  throw new CodedError(
    "INTERNAL_ERROR",
    `over ${MAX_UNAWAITED_LENGTH} characters of events or steps wait to be stored: await what ctx emits`,
  );
}
