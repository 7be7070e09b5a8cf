/** What the kernel needs of agents: to find one, to check its input, to run it. `agents/` implements it. */
import type { EntryKind } from "../protocol/event-kinds.ts";
import type { Amounts } from "./authority/amounts.ts";
import type { BudgetView } from "./authority/budget-view.ts";
import type { Guard } from "./authority/guard.ts";
import type { Grant, PermissionAsk } from "./authority/permission-ask.ts";
import type { ArtifactLabel } from "./job/artifacts.ts";
import type { JobRecord } from "./job/job-record.ts";
import type { Metric } from "./job/metric.ts";
import type { Need } from "./job/needs.ts";
import type { ReservationHandle } from "./job/reservations.ts";
import type { ArtifactRow } from "./ports.ts";

export interface RunnableAgent {
  readonly name: string;
  readonly version: string;
  /** What becomes of the job when the runtime dies under it: one retryable error, or another attempt. */
  readonly restart: "never" | "always";
  /** How many of its jobs may run at a time in this runtime; further ones wait. Absent: as many as the runtime runs. */
  readonly maxConcurrent?: number;
  /** What a lease must grant for a job of it to be accepted; see `assertNeeds`. */
  readonly needs?: readonly Need[] | undefined;
  /**
   * Checks the input a client sent. Returns it as the agent wants it.
   * @throws CodedError INTERNAL_ERROR when 64 Mi characters wait for their commit, which room was not awaited for;
   * INVALID_REQUEST naming the field and what would be right.
   */
  parseInput(input: unknown): unknown | Promise<unknown>;
  /** Runs the agent function once. Rejects with whatever the agent threw; only a `CodedError` keeps its code. */
  run(host: JobHost, input: unknown): Promise<AgentReturn>;
}

/** A result given whole (JSON text; absent for `undefined`), or streamed before as `result_chunk` events. */
export type AgentReturn =
  | { readonly result?: string; readonly summary?: string }
  | { readonly stream: { readonly resultId: string; readonly size: number }; readonly summary?: string };

export interface AgentListing {
  readonly name: string;
  readonly versions: readonly string[];
  readonly default: string;
}

export interface Agents {
  /**
   * @param reference `name` or `name@version` (§7.5).
   * @throws CodedError INVALID_REQUEST, AGENT_NOT_AVAILABLE or AGENT_VERSION_NOT_AVAILABLE.
   */
  resolve(reference: string): RunnableAgent;
  list(): readonly AgentListing[];
}

/** Kinds of entry an attempt may append. Metrics and delegations have ways of their own, so that nothing goes around the counters. */
export type AppendedKind = Exclude<EntryKind, "metric" | "delegate" | "result" | "error">;

/** A child job an agent asks for (§10). */
export interface DelegateRequest {
  /** `name` or `name@version`. */
  readonly agent: string;
  /** Plain JSON, the child's alone: whoever asks keeps no part of it. */
  readonly input: unknown;
  /** `lease_request` and `lease_constraints` as a client would send them; what they leave out is never wider (§9.4). */
  readonly leaseRequest?: unknown;
  readonly leaseConstraints?: unknown;
  /** Seconds, more than zero. */
  readonly maxRuntimeSec?: number;
  /**
   * Names the delegation within the job: asked for again under it, by this attempt or a later one, it is the same child.
   * Default: its place among the job's delegations that ask for the same.
   */
  readonly key?: string;
  /** The span that delegates, and its flags: 16 and 2 hex digits with a dash. */
  readonly traceParent?: string;
}

/** A child as its parent sees it. */
export interface DelegatedJob {
  readonly jobId: string;
  readonly delegateId: string;
  /** `name@version`. */
  readonly agent: string;
  /**
   * Resolves once the child's end is durable, however it ended. For hosts that have others wait before they hold its result.
   * @throws CodedError the parent's stop reason once it is stopped.
   */
  ended?(): Promise<void>;
  /**
   * What the child returned, once that is durable: a value, or the whole of a streamed result, as text or bytes.
   * @throws CodedError with which the child ended, its id in `details.job_id`; INVALID_REQUEST for a streamed result of more
   * than 64 MiB; the parent's stop reason once it is stopped.
   */
  result(): Promise<unknown>;
  /**
   * Cancels the child and all below it. Resolves once that is durable; does nothing to one that has ended.
   * @param reason told in the child's error, up to 16,384 characters of it.
   * @throws CodedError this job's stop reason after a stop.
   */
  cancel(reason?: string): Promise<void>;
}

/** What a running attempt may do to its job. Handed to the agent's context; dead once the job leaves `running`. */
export interface JobHost {
  readonly job: JobRecord;
  readonly attempt: number;
  /** Aborts when the job is stopped; its reason is a `CodedError`. */
  readonly signal: AbortSignal;
  readonly guard: Guard;
  /**
   * Puts an entry on the job's log. Returns at once while there is room in the job's buffer, else a promise of room:
   * emission waits for the buffer, not for the disk. After the job has left `running` nothing is recorded.
   * @param kind the entry's kind; `name` is the kind on the wire, which differs only for vendor kinds.
   * @param body the event's `body` as JSON text, without line breaks.
   * @throws CodedError INVALID_REQUEST when the entry is longer than `MAX_ENTRY_LENGTH`; the job's stop reason after a stop.
   */
  append(kind: AppendedKind, name: string, body: string): Promise<void> | undefined;
  /**
   * Puts a metric on the job's log, as `append` does. One whose name begins with `cost.` is money spent: in a budgeted
   * currency it moves the counters, below zero too, in the same turn and the same commit (§9.6).
   * @throws CodedError INVALID_REQUEST naming the field, for a negative cost too; and as `append`.
   */
  report(metric: Metric): Promise<void> | undefined;
  /** The counters that this job's costs move, its own and inherited ones, as they are now; empty where nothing is budgeted. */
  readonly budget: { view(): BudgetView };
  /**
   * Sets money of the budget aside, in all of these currencies or in none; those that are not budgeted are not held.
   * Durable when it resolves. Under the same key it is the same reservation for every attempt of the job.
   * @param key unique within the job, from 1 to 256 characters. Default: its place among reservations of the same amounts.
   * @throws CodedError BUDGET_EXHAUSTED at once when not all of it is available, with details
   * `{ currency, available, requested }`; DUPLICATE_KEY for a key used with other amounts; INVALID_REQUEST for wrong
   * arguments, or beyond `MAX_OPEN_RESERVATIONS` or `MAX_RESERVATIONS`; the job's stop reason after a stop.
   */
  reserve(amounts: Amounts, key?: string): Promise<ReservationHandle>;
  /** Resolves once everything appended so far is durable; rejects when the job has been stopped. */
  flush(): Promise<void>;
  /**
   * Starts a job under part of this one's lease, or finds the one an earlier attempt started (§10). Resolves once it is
   * accepted and durable.
   * @throws CodedError LEASE_EXPIRED, BUDGET_EXHAUSTED, PERMISSION_DENIED or LEASE_SUBSET_VIOLATION for want of authority;
   * INVALID_REQUEST, AGENT_NOT_AVAILABLE or AGENT_VERSION_NOT_AVAILABLE for what is asked; DUPLICATE_KEY for a key used for
   * something else; INTERNAL_ERROR beyond a limit or when it could not be stored; the job's stop reason after a stop.
   */
  delegate(request: DelegateRequest): Promise<DelegatedJob>;
  /**
   * Asks for authority beside the lease, or finds what an earlier attempt asked under the same key. Resolves once it is
   * granted and durable; meanwhile a job that nobody above waits for holds no run slot.
   * @throws CodedError PERMISSION_DENIED when it is refused, lapses or was taken back, with details
   * `{ capability, target, operation, permission_id, state, reason? }`, or lies outside the lease of the job above;
   * LEASE_EXPIRED or BUDGET_EXHAUSTED when the lease allows nothing any more; INVALID_REQUEST for wrong arguments, or beyond
   * `MAX_PENDING_REQUESTS` or `MAX_REQUESTS`; DUPLICATE_KEY for a key used for something else; INTERNAL_ERROR when the
   * policy could not answer; the job's stop reason after a stop.
   */
  requestPermission(ask: PermissionAsk): Promise<Grant>;
  /** What earlier attempts returned from `ctx.step`, by name: JSON text, or null for `undefined`. */
  readonly steps: ReadonlyMap<string, string | null>;
  /** Makes a step's value durable, together with everything appended so far. */
  recordStep(name: string, value: string | null): Promise<void>;
  /**
   * Keeps content beside the log, together with an `artifact_ref` event on it, whose body `tell` words as JSON text.
   * Resolves once both are durable.
   * @throws CodedError INTERNAL_ERROR beyond a limit or when it cannot be stored; the job's stop reason after a stop;
   * whatever `content` threw.
   */
  putArtifact(
    label: ArtifactLabel,
    content: AsyncIterable<Uint8Array>,
    tell: (row: ArtifactRow) => string,
  ): Promise<ArtifactRow>;
}
