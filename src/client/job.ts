/** One job as a caller sees it: what can be read from it and asked of it, and how much of it is kept. */
import type { JobEvent as EventView } from "../protocol/event-bodies.ts";
import type { WireJobStatus } from "../protocol/fields.ts";
import type { EffectiveLease } from "../protocol/lease-fields.ts";
import type { Credential } from "./job-bounds.ts";

type Placed<View> = View extends unknown
  ? Omit<View, "job_seq"> & {
      /** The event's place in the stream of the session it came by, from 1. */
      readonly seq: number;
      /** The event's place in its job's own log, from 1; absent from runtimes that do not number it. */
      readonly jobSeq?: number;
    }
  : never;

/** An event of a job, told apart by `kind` (§8.2). */
export type JobEvent = Placed<EventView>;

export type JobStatus = WireJobStatus;

export interface Waiting {
  /** Gives up waiting: the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface Job<Output = unknown> {
  readonly id: string;
  /** `name@version`, as resolved at submission (§7.5). */
  readonly agent: string;
  /** As far as the messages that have arrived tell. */
  readonly status: JobStatus;
  /** What was granted (§9). */
  readonly lease: EffectiveLease;
  /** When the lease expires, ISO 8601 (§9.5). */
  readonly expiresAt: string | undefined;
  /** What remains per currency, as last reported (§9.6). For display: exact amounts stay in the runtime. */
  readonly budget: Readonly<Record<string, number>>;
  /**
   * Upstream keys minted for the job (§9.8), with the values they have now; empty unless the session was opened with
   * `credentials: true` and the caller submitted the job, and once the job has ended. A new value never shows in events.
   */
  readonly credentials: readonly Credential[];
  /** 32 hex digits (§11). */
  readonly traceId: string | undefined;
  /** The job that delegated this one (§10). */
  readonly parentJobId: string | undefined;
  /** What that job's log calls the delegation; undefined for a job that was subscribed to. */
  readonly delegateId: string | undefined;
  /** The jobs that this one has delegated and that have a handle here by now, in the order of its log (§10). */
  readonly children: readonly Job[];
  /** What a submission from anywhere needs to come back to this job (§7.2); undefined for a job that was not submitted here. */
  readonly idempotencyKey: string | undefined;
  /**
   * The job's events from the first one that reached this handle, ending with the job, however it ended. Every iterator
   * gets all of them, at its own pace. Rejects with `EventsLostError` when more than `maxBufferedLength` came before
   * they were read, with `FollowError` when this job can be followed no more, and with `SessionError` when the session
   * is over before the job.
   */
  events(options?: Waiting): AsyncIterableIterator<JobEvent>;
  /**
   * The jobs that this one delegates (§10), each from its first event, ending with this job:
   * `for await (const child of job.delegated())`. Every iterator gets all that the events which reached this handle tell
   * of. With the feature `x-leasehold.delegation` the runtime sends the children of a job that was submitted here, and
   * theirs in turn, by itself, and they may be cancelled; of any other job a child is subscribed to when an iterator gets to
   * it. Rejects as `session.subscribe` does when that fails, and with what `events()` rejects with when this job can be
   * followed no more.
   */
  delegated(options?: Waiting): AsyncIterableIterator<Job>;
  /**
   * What the agent returned: the JSON value, or, when it was streamed (§8.4), its text or bytes, checked to be whole.
   * Rejects with `JobError` when the job did not succeed, `ResultError` when its result did not arrive whole,
   * `FollowError` when this job can be followed no more, `SessionError` when the session is over before the job.
   */
  result(options?: Waiting): Promise<Output>;
  /**
   * A streamed result chunk by chunk, while the job still writes it (§8.4): text as strings, bytes as `Uint8Array`. What
   * was read is not kept, so that a result of any size passes in bounded memory as long as its reader keeps up:
   * `RESULT_TOO_LARGE` when more than `maxResultLength` waits. Ends with the job, having checked what `result()` checks,
   * and rejects as `result()` does; also with `RESULT_RESTARTED` when another attempt of the job began anew after a
   * chunk was read. A text that was not streamed comes as one chunk.
   */
  resultStream(options?: Waiting): AsyncIterableIterator<ResultPart<Output>>;
  /**
   * Asks the runtime to stop the job (§7.4); resolves once it has answered. The job's end arrives as any other. Does
   * nothing to a job that has ended. A job that was subscribed to needs the feature `x-leasehold.control`: subscribing
   * gives no right to cancel (§7.6), and without it this rejects with `PERMISSION_DENIED`.
   */
  cancel(reason?: string, options?: Waiting): Promise<void>;
  /**
   * Stops following a job that was subscribed to (§7.6): what reads or waits here rejects with `FollowError`, code
   * `UNSUBSCRIBED`. The job runs on. Idempotent, and nothing to a job that has ended.
   * @throws TypeError for a job that was submitted in this session, or delegated by one that was: it is followed to its end.
   */
  unsubscribe(): void;
}

/** What a streamed result arrives in: text or bytes, as the agent's output is. */
export type ResultPart<Output> = Output & (string | Uint8Array);

export interface JobLimits {
  /**
   * Most that is kept of one job's events for its iterators, in UTF-16 units of JSON text, each event counted with 256
   * on top. Default 64 Mi: some 150,000 small events. Beyond it the oldest go, and an iterator that had not got to them
   * fails with `EVENTS_LOST`. Of a job that came along with the one that delegated it, an eighth.
   */
  readonly maxBufferedLength: number;
  /**
   * Most that is kept of a streamed result, in UTF-16 units of its chunks' data: the longest that `result()` gives, and
   * how far a reader of `resultStream()` may fall behind. Default 512 Mi.
   */
  readonly maxResultLength: number;
}

export const DEFAULT_JOB_LIMITS: JobLimits = { maxBufferedLength: 67_108_864, maxResultLength: 536_870_912 };

/** §7.3 */
export function isFinal(status: JobStatus): boolean {
  return status !== "pending" && status !== "running";
}
