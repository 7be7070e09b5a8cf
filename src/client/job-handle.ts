/** One job as its follower holds it: its bounds, its events, its result. Fed by the session, message by message. */
import { type JobEvent as EventView, readEvent } from "../protocol/event-bodies.ts";
import type { WireJobStatus } from "../protocol/fields.ts";
import type { EffectiveLease } from "../protocol/lease-fields.ts";
import type { MessageOf, PayloadOf } from "../protocol/registry.ts";
import { JobError } from "./errors.ts";
import { EventQueue } from "./event-queue.ts";
import { abortable, handled } from "./handed-out.ts";
import { ResultAssembly } from "./result-assembly.ts";

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
  /** 32 hex digits (§11). */
  readonly traceId: string | undefined;
  /** What a submission from anywhere needs to come back to this job (§7.2); undefined for a job that was subscribed to. */
  readonly idempotencyKey: string | undefined;
  /**
   * The job's events from the first one that reached this handle, ending with the job, however it ended. Every iterator
   * gets all of them, at its own pace. Rejects with `EventsLostError` when more than `maxBufferedLength` came before
   * they were read, and with a `SessionError` when the session is over before the job.
   */
  events(options?: Waiting): AsyncIterableIterator<JobEvent>;
  /**
   * What the agent returned: the JSON value, or, when it was streamed (§8.4), its text or bytes, checked to be whole.
   * Rejects with `JobError` when the job did not succeed, `ResultError` when its result did not arrive whole,
   * `SessionError` when the session is over before the job.
   */
  result(options?: Waiting): Promise<Output>;
  /**
   * Asks the runtime to stop the job (§7.4); resolves once it has answered. The job's end arrives as any other. Does
   * nothing to a job that has ended.
   */
  cancel(reason?: string, options?: Waiting): Promise<void>;
}

export interface JobLimits {
  /**
   * Most that is kept of one job's events for its iterators, in UTF-16 units of JSON text, each event counted with 256
   * on top. Default 64 Mi: some 150,000 small events. Beyond it the oldest go, and an iterator that had not got to them
   * fails with `EVENTS_LOST`.
   */
  readonly maxBufferedLength: number;
  /** Longest streamed result taken, in UTF-16 units of its chunks' data. Default 512 Mi. */
  readonly maxResultLength: number;
}

export const DEFAULT_JOB_LIMITS: JobLimits = { maxBufferedLength: 67_108_864, maxResultLength: 536_870_912 };

/** What belongs to one job's stream. */
export type JobMessage = MessageOf<"job.event" | "job.result" | "job.error">;

/** How a handle came to its job, which is how it comes back to it in another session. */
export type JobOrigin =
  | { readonly by: "submission"; readonly submission: PayloadOf<"job.submit">; readonly traceId: string | undefined }
  | { readonly by: "subscription" };

type Ending = { readonly message: MessageOf<"job.result" | "job.error"> } | { readonly failure: Error };

export class JobHandle implements Job {
  readonly id: string;
  readonly #cancel: Job["cancel"];
  readonly #queue: EventQueue<MessageOf<"job.event">, JobEvent>;
  readonly #assembly: ResultAssembly;
  #origin: JobOrigin = { by: "subscription" };
  #agent = "";
  #status: JobStatus = "pending";
  #lease: EffectiveLease = {};
  #expiresAt: string | undefined;
  #budget: Record<string, number> = {};
  #traceId: string | undefined;
  #position = 0;
  #ending: Ending | undefined;
  #result: Promise<unknown> | undefined;
  #settle: ((ending: Ending) => void) | undefined;

  /** @param cancel sends the request; not called once the job has ended. */
  constructor(id: string, limits: JobLimits, cancel: Job["cancel"]) {
    this.id = id;
    this.#cancel = cancel;
    this.#queue = new EventQueue(limits.maxBufferedLength, view);
    this.#assembly = new ResultAssembly(limits.maxResultLength);
  }

  get agent(): string {
    return this.#agent;
  }

  get status(): JobStatus {
    return this.#status;
  }

  get lease(): EffectiveLease {
    return this.#lease;
  }

  get expiresAt(): string | undefined {
    return this.#expiresAt;
  }

  get budget(): Readonly<Record<string, number>> {
    return this.#budget;
  }

  get traceId(): string | undefined {
    return this.#traceId;
  }

  get idempotencyKey(): string | undefined {
    return this.#origin.by === "submission" ? this.#origin.submission.idempotency_key : undefined;
  }

  get origin(): JobOrigin {
    return this.#origin;
  }

  /** The `job_seq` of the last message taken; 0 for none. */
  get position(): number {
    return this.#position;
  }

  /** Nothing more is taken: the job ended, or the handle failed. */
  get ended(): boolean {
    return this.#ending !== undefined;
  }

  /** What is kept of its events and chunks, in UTF-16 units; fixed once ended. */
  get keptLength(): number {
    return this.#queue.size + this.#assembly.length;
  }

  events(options: Waiting = {}): AsyncIterableIterator<JobEvent> {
    return this.#queue.open(options.signal);
  }

  result(options: Waiting = {}): Promise<unknown> {
    this.#result ??= handled(
      new Promise<Ending>((resolve) => {
        if (this.#ending === undefined) this.#settle = resolve;
        else resolve(this.#ending);
      }).then((ending) => this.#outcome(ending)),
    );
    return abortable(this.#result, options.signal);
  }

  cancel(reason?: string, options?: Waiting): Promise<void> {
    const isOver = this.#ending !== undefined && "message" in this.#ending;
    return isOver ? Promise.resolve() : this.#cancel(reason, options);
  }

  /** Takes what `job.accepted` or `job.subscribed` says of the job, and how the handle came to it. */
  describe(payload: PayloadOf<"job.accepted"> | PayloadOf<"job.subscribed">, origin: JobOrigin): void {
    this.#origin = origin;
    this.#agent = payload.agent ?? this.#agent;
    this.#lease = payload.lease;
    this.#expiresAt = payload.lease_constraints?.expires_at;
    this.#traceId = payload.trace_id;
    // What was reported by events since is newer.
    this.#budget = { ...payload.budget, ...this.#budget };
    if (!("current_status" in payload)) return;
    if (!this.ended) this.#status = payload.current_status;
    if (payload.replayed) return;
    // Of a job that has ended, its terminal message is still wanted: it is the last one.
    const from = (payload.subscribed_from ?? 0) - (isFinal(payload.current_status) ? 1 : 0);
    this.#position = Math.max(this.#position, from);
  }

  /**
   * Takes the next message of the job's stream. One that was taken before, as its `job_seq` tells, is passed over.
   * @param length of the frame, in UTF-16 units.
   */
  receive(message: JobMessage, length: number): void {
    if (this.#ending !== undefined) return;
    const position = message.payload.job_seq;
    if (position !== undefined) {
      if (position <= this.#position) return;
      this.#position = position;
    }
    if (message.type !== "job.event") return this.#end(message);
    if (this.#status === "pending") this.#status = "running";
    this.#queue.push(message, length);
    const { kind } = message.payload;
    if (kind === "result_chunk") this.#collect(message);
    else if (kind === "metric") this.#account(message);
  }

  /** No more of the job will come: readers and waiters get `error`. Ignored once ended. */
  fail(error: Error): void {
    if (this.#ending !== undefined) return;
    this.#ending = { failure: error };
    this.#queue.fail(error);
    this.#settle?.(this.#ending);
  }

  #end(message: MessageOf<"job.result" | "job.error">): void {
    this.#status = message.payload.final_status;
    this.#ending = { message };
    this.#queue.end();
    this.#settle?.(this.#ending);
  }

  #outcome(ending: Ending): unknown {
    if ("failure" in ending) throw ending.failure;
    const { message } = ending;
    if (message.type === "job.error") throw new JobError(this.id, message.payload.final_status, message.payload);
    const { result, result_id, result_size } = message.payload;
    return result_id === undefined ? result : this.#assembly.finish(result_id, result_size);
  }

  #collect(message: MessageOf<"job.event">): void {
    const event = readEvent(message.payload);
    if (event.kind === "result_chunk") this.#assembly.add(event.body);
    else this.#assembly.addUnreadable();
  }

  #account(message: MessageOf<"job.event">): void {
    const { name, value, unit } = message.payload.body;
    if (name !== "cost.budget.remaining" || typeof value !== "number" || typeof unit !== "string") return;
    this.#budget = { ...this.#budget, [unit]: value };
  }
}

/** §7.3 */
export function isFinal(status: JobStatus): boolean {
  return status !== "pending" && status !== "running";
}

function view(message: MessageOf<"job.event">): JobEvent {
  const { job_seq, ...event } = readEvent(message.payload);
  const placed = { ...event, seq: message.event_seq, ...(job_seq === undefined ? {} : { jobSeq: job_seq }) };
  // `Placed` maps each member of the union by itself, which a spread cannot say.
  return placed as JobEvent;
}
