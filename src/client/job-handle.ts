/** One job as its follower holds it: its bounds, its events, its result. Fed by the session, message by message. */
import { readEvent } from "../protocol/event-bodies.ts";
import type { EffectiveLease } from "../protocol/lease-fields.ts";
import type { MessageOf, PayloadOf } from "../protocol/registry.ts";
import { DelegatedJobs } from "./delegated-jobs.ts";
import { FollowError, JobError, ResultError } from "./errors.ts";
import { EventQueue } from "./event-queue.ts";
import { abortable, handled } from "./handed-out.ts";
import { isFinal, type Job, type JobEvent, type JobLimits, type JobStatus, type Waiting } from "./job.ts";
import { type Credential, JobBounds, type JobDescriptor } from "./job-bounds.ts";
import { decodeBase64, ResultAssembly } from "./result-assembly.ts";
import { type ResultEnd, ResultReader } from "./result-reader.ts";

/** What belongs to one job's stream. */
export type JobMessage = MessageOf<"job.event" | "job.result" | "job.error">;

/** How a handle came to its job, which is how it comes back to it in another session. */
export type JobOrigin =
  | { readonly by: "submission"; readonly submission: PayloadOf<"job.submit">; readonly traceId: string | undefined }
  /** Its parent, which may be cancelled, brought it along. */
  | { readonly by: "delegation" }
  | { readonly by: "subscription" };

type Ending = { readonly message: MessageOf<"job.result" | "job.error"> } | { readonly failure: Error };

/** What a handle asks of its session. */
export interface JobActions {
  /** Not called once the job has ended. */
  cancel(job: JobHandle, reason: string | undefined, options: Waiting | undefined): Promise<void>;
  unsubscribe(job: JobHandle): void;
  /** Whether the runtime sends the children of the job by itself. */
  bringsChildren(job: JobHandle): boolean;
  /** Follows a child of a job from its first event. */
  followChild(id: string, signal: AbortSignal | undefined): Promise<Job>;
}

export class JobHandle implements Job {
  readonly id: string;
  readonly #actions: JobActions;
  readonly #queue: EventQueue<MessageOf<"job.event">, JobEvent>;
  readonly #assembly: ResultAssembly;
  readonly #bounds = new JobBounds();
  readonly #delegated: DelegatedJobs;
  #origin: JobOrigin = { by: "subscription" };
  #parent: JobHandle | undefined;
  #status: JobStatus = "pending";
  #position = 0;
  #beginsAfter: number | undefined;
  /** Some of its log may have come by a subscription, which brings no children. */
  #wasSubscribed = false;
  #isNumbered = true;
  #ending: Ending | undefined;
  #result: Promise<unknown> | undefined;
  /** Settles when the next chunk, or the ending, has come; made when somebody waits. */
  #change: PromiseWithResolvers<void> | undefined;

  constructor(id: string, limits: JobLimits, actions: JobActions) {
    this.id = id;
    this.#actions = actions;
    this.#queue = new EventQueue(limits.maxBufferedLength, view);
    this.#assembly = new ResultAssembly(limits.maxResultLength);
    this.#delegated = new DelegatedJobs({
      bringsChildren: () => actions.bringsChildren(this),
      follow: (child, signal) => actions.followChild(child, signal),
    });
  }

  get agent(): string {
    return this.#bounds.agent;
  }

  get status(): JobStatus {
    return this.#status;
  }

  get lease(): EffectiveLease {
    return this.#bounds.lease;
  }

  get expiresAt(): string | undefined {
    return this.#bounds.expiresAt;
  }

  get budget(): Readonly<Record<string, number>> {
    return this.#bounds.budget;
  }

  get credentials(): readonly Credential[] {
    return this.#bounds.credentials;
  }

  get traceId(): string | undefined {
    return this.#bounds.traceId;
  }

  get parentJobId(): string | undefined {
    return this.#bounds.parentJobId;
  }

  get delegateId(): string | undefined {
    return this.#bounds.delegateId;
  }

  get children(): readonly Job[] {
    return this.#delegated.known;
  }

  get idempotencyKey(): string | undefined {
    return this.#origin.by === "submission" ? this.#origin.submission.idempotency_key : undefined;
  }

  get origin(): JobOrigin {
    return this.#origin;
  }

  /** Whether the runtime sends the job's children by itself, where it does so at all. */
  get bringsChildren(): boolean {
    return this.#origin.by !== "subscription" && !this.#wasSubscribed;
  }

  /** The `job_seq` of the last message taken; 0 for none. */
  get position(): number {
    return this.#position;
  }

  /** The `job_seq` before the first event that reached, or will reach, this handle. */
  get beginsAfter(): number {
    return this.#beginsAfter ?? 0;
  }

  /** Whether all messages of its log told their places there; true while none has come. */
  get isNumbered(): boolean {
    return this.#isNumbered;
  }

  /** Nothing more is taken: the job ended, or the handle failed. */
  get ended(): boolean {
    return this.#ending !== undefined;
  }

  /** What is kept of its events and chunks, in UTF-16 units. */
  get keptLength(): number {
    return this.#queue.size + this.#assembly.length;
  }

  events(options: Waiting = {}): AsyncIterableIterator<JobEvent> {
    return this.#queue.open(options.signal);
  }

  delegated(options: Waiting = {}): AsyncIterableIterator<Job> {
    return this.#delegated.open(options.signal);
  }

  result(options: Waiting = {}): Promise<unknown> {
    this.#assembly.keepWhole();
    this.#result ??= handled(this.#whenEnded().then(() => this.#wholeResult()));
    return abortable(this.#result, options.signal);
  }

  resultStream(options: Waiting = {}): AsyncIterableIterator<string | Uint8Array> {
    const source = {
      assembly: this.#assembly,
      end: () => this.#outcome(),
      changed: () => this.#changed(),
    };
    return new ResultReader(source, options.signal);
  }

  cancel(reason?: string, options?: Waiting): Promise<void> {
    const isOver = this.#ending !== undefined && "message" in this.#ending;
    return isOver ? Promise.resolve() : this.#actions.cancel(this, reason, options);
  }

  unsubscribe(): void {
    const { by } = this.#origin;
    if (by !== "subscription") {
      const came = by === "submission" ? "was submitted in this session" : "came with the job that delegated it";
      throw new TypeError(`job ${this.id} ${came}, and is followed to its end`);
    }
    if (this.#ending !== undefined) return;
    this.#actions.unsubscribe(this);
    this.fail(new FollowError(this.id, { code: "UNSUBSCRIBED", message: "unsubscribe() was called" }));
  }

  /** A child of this job has a handle. */
  addChild(child: JobHandle): void {
    child.#parent = this;
    this.#delegated.add(child);
  }

  /** Has its parent forget it: it has ended, and is kept no more. */
  leaveParent(): void {
    const parent = this.#parent;
    if (parent !== undefined) parent.#delegated.forget(this.id);
    this.#parent = undefined;
  }

  /** Takes what `job.accepted` or `job.subscribed` says of the job, and how the handle came to it. */
  describe(payload: JobDescriptor, origin: JobOrigin): void {
    this.#origin = origin;
    this.#bounds.describe(payload);
    if (this.ended) this.#bounds.forgetCredentials();
    this.#beginsAfter ??= "subscribed_from" in payload ? payload.subscribed_from : 0;
    if (!("current_status" in payload)) return;
    this.#wasSubscribed = true;
    if (!this.ended) this.#status = payload.current_status;
    if (payload.replayed || this.#position > 0) return;
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
    } else if (!isBackPressure(message)) {
      this.#isNumbered = false;
    }
    if (message.type !== "job.event") return this.#end(message);
    if (this.#status === "pending") this.#status = "running";
    this.#queue.push(this.#bounds.account(message), length);
    const { kind } = message.payload;
    if (kind === "result_chunk") this.#collect(message);
    else if (kind === "delegate") this.#tellOfChild(message);
  }

  /** No more of the job will come: readers and waiters get `error`. Ignored once ended. */
  fail(error: Error): void {
    if (this.#ending !== undefined) return;
    this.#ending = { failure: error };
    this.#bounds.forgetCredentials();
    this.#queue.fail(error);
    this.#delegated.end(error);
    this.#announce();
  }

  #end(message: MessageOf<"job.result" | "job.error">): void {
    this.#status = message.payload.final_status;
    this.#ending = { message };
    this.#bounds.forgetCredentials();
    this.#queue.end();
    this.#delegated.end();
    this.#announce();
  }

  /** How the job's result is to be had; undefined while the job runs. */
  #outcome(): ResultEnd | undefined {
    const ending = this.#ending;
    if (ending === undefined) return undefined;
    if ("failure" in ending) throw ending.failure;
    const { message } = ending;
    if (message.type === "job.error") throw new JobError(this.id, message.payload.final_status, message.payload);
    const { result, result_id, result_size, result_encoding, result_artifact } = message.payload;
    if (result_artifact !== undefined) {
      const text = `the result is kept as an artifact, at ${result_artifact.uri}`;
      throw new ResultError("RESULT_ELSEWHERE", text, { artifact: result_artifact });
    }
    // What was streamed, and put together by the runtime for a session without `result_chunk`.
    const isBytes = result_encoding === "base64" && typeof result === "string";
    return { resultId: result_id, size: result_size, value: isBytes ? decodeBase64(result) : result };
  }

  #wholeResult(): unknown {
    const { resultId, size, value } = this.#outcome() ?? {};
    return resultId === undefined ? value : this.#assembly.finish(resultId, size);
  }

  #tellOfChild(message: MessageOf<"job.event">): void {
    const event = readEvent(message.payload);
    if (event.kind === "delegate") this.#delegated.tell(event.body.child_job_id);
  }

  #collect(message: MessageOf<"job.event">): void {
    const event = readEvent(message.payload);
    if (event.kind === "result_chunk") this.#assembly.add(event.body);
    else this.#assembly.addUnreadable();
    this.#announce();
  }

  async #whenEnded(): Promise<void> {
    while (this.#ending === undefined) await this.#changed();
  }

  #changed(): Promise<void> {
    this.#change ??= Promise.withResolvers();
    return this.#change.promise;
  }

  #announce(): void {
    this.#change?.resolve();
    this.#change = undefined;
  }
}

/** A runtime may put it into a session's stream alone (§6.5): it names a job, and has no place in that job's log. */
function isBackPressure({ type, payload }: JobMessage): boolean {
  return type === "job.event" && payload.kind === "status" && payload.body.phase === "back_pressure";
}

function view(message: MessageOf<"job.event">): JobEvent {
  const { job_seq, ...event } = readEvent(message.payload);
  const placed = { ...event, seq: message.event_seq, ...(job_seq === undefined ? {} : { jobSeq: job_seq }) };
  // `Placed` maps each member of the union by itself, which a spread cannot say.
  return placed as JobEvent;
}
