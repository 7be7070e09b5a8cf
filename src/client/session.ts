/** A session as a caller holds it: jobs are submitted, followed, listed and cancelled here, over whatever connection there is. */
import { ARCP_VERSION } from "../protocol/envelope.ts";
import { MAX_FRAME_BYTES } from "../protocol/framing.ts";
import type { MessageOf, PayloadOf } from "../protocol/registry.ts";
import type { AgentInput, AgentOutput, AgentReference } from "./agent-types.ts";
import { Conversation, type ConversationSettings, closedError, type Incoming, type Welcome } from "./conversation.ts";
import { RequestError, type SessionError } from "./errors.ts";
import { FollowedJobs } from "./followed-jobs.ts";
import { abortable, handled } from "./handed-out.ts";
import {
  isFinal,
  type Job,
  type JobHandle,
  type JobLimits,
  type JobOrigin,
  type JobStatus,
  type Waiting,
} from "./job-handle.ts";
import { type AnyRequest, isAnswer, PendingRequests, type Request, type RequestType } from "./requests.ts";
import { type JobFilter, type JobPage, listRequest, readPage, type SubmitOptions, submission } from "./submission.ts";

export interface AgentListing {
  readonly name: string;
  readonly versions: readonly string[];
  /** The version a bare name stands for (§7.5). */
  readonly default?: string | undefined;
}

export interface SubscribeOptions extends Waiting {
  /** Begin with what the job has on its log, and not with what comes next. Default false (§7.6). */
  readonly history?: boolean | undefined;
  /** Begin after this `jobSeq`; implies `history`. */
  readonly fromJobSeq?: number | undefined;
}

/**
 * Every call rejects with `RequestError` when the runtime refuses it, with `SessionError` once the session is over.
 * @typeParam Agents the runtime's agents, to type submissions by: `connect<typeof agents>(…)`.
 */
export interface Session<Agents = unknown> extends AsyncDisposable {
  /** Changes only when the session's stream was kept no more, and another session took its place. */
  readonly id: string;
  /** What can be submitted here (§6.2). */
  readonly agents: readonly AgentListing[];
  /** The features both sides have (§6.2). */
  readonly features: readonly string[];
  /**
   * Submits a job (§7.1); resolves once the runtime has accepted it. It runs on whatever becomes of this session. An
   * abort while this waits also cancels the job, should it be accepted after all.
   * Rejects with `TypeError` when the input is not JSON.
   */
  submit<const Reference extends AgentReference<Agents>>(
    agent: Reference,
    input: AgentInput<Agents, Reference>,
    options?: SubmitOptions,
  ): Promise<Job<AgentOutput<Agents, Reference>>>;
  /** The jobs this principal may see, newest first, a page at a time (§6.6). Needs the feature `list_jobs`. */
  jobs(filter?: JobFilter, options?: Waiting): Promise<JobPage>;
  /** Follows a job submitted elsewhere or before (§7.6). Needs `subscribe`. A job followed already keeps its handle. */
  subscribe(jobId: string, options?: SubscribeOptions): Promise<Job>;
  /**
   * Cancels a job by id: one of this session (§7.4), or, with the feature `x-leasehold.control`, any of the principal's.
   * Resolves once the runtime has answered, with the status the job had ended with before, if it had.
   */
  cancel(jobId: string, reason?: string, options?: Waiting): Promise<JobStatus | undefined>;
  /** Ends the session (§6.7): whatever waits in it rejects with `SESSION_CLOSED`. Jobs run on. Idempotent. */
  close(): Promise<void>;
}

export interface SessionSettings extends ConversationSettings {
  readonly jobLimits: JobLimits;
  readonly maxPendingRequests: number;
}

interface Asking<Type extends RequestType> extends Waiting {
  readonly traceId?: string | undefined;
  /** See `Request.lapses`. */
  readonly lapses?: boolean;
  /** See `Request.anew`. */
  readonly anew?: boolean;
  /** Takes the answer of a call that was aborted. */
  readonly tooLate?: Request<Type>["answered"];
}

export class LiveSession implements Session {
  readonly #settings: SessionSettings;
  readonly #conversation: Conversation;
  readonly #requests = new PendingRequests();
  readonly #jobs: FollowedJobs;
  readonly #opened = Promise.withResolvers<void>();
  #welcome: Welcome | undefined;
  #failure: SessionError | undefined;

  constructor(settings: SessionSettings) {
    this.#settings = settings;
    this.#jobs = new FollowedJobs(settings.jobLimits, (id, ...rest) =>
      handled(this.cancel(id, ...rest).then(() => {})),
    );
    this.#conversation = new Conversation(settings, {
      live: (welcome, renewed) => this.#live(welcome, renewed),
      message: (message, length) => this.#receive(message, length),
      ended: (error) => this.#fail(error),
    });
    handled(this.#opened.promise);
  }

  get id(): string {
    return this.#welcome?.session_id ?? "";
  }

  get agents(): readonly AgentListing[] {
    return this.#welcome?.capabilities.agents ?? [];
  }

  get features(): readonly string[] {
    return this.#welcome?.capabilities.features ?? [];
  }

  /** Connects. Called once; nothing else is called before it has resolved. */
  async open(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    this.#conversation.start();
    try {
      await abortable(this.#opened.promise, signal);
    } catch (error) {
      this.#conversation.abandon(closedError());
      throw error;
    }
  }

  submit(agent: string, input: unknown, options: SubmitOptions = {}): Promise<JobHandle> {
    return handled(this.#submit(agent, input, options));
  }

  jobs(filter: JobFilter = {}, options: Waiting = {}): Promise<JobPage> {
    return this.#ask("session.list_jobs", listRequest(filter), readPage, options);
  }

  subscribe(jobId: string, options: SubscribeOptions = {}): Promise<JobHandle> {
    const ended = this.#jobs.findEnded(jobId);
    const known = this.#jobs.find(jobId) ?? (ended?.origin.by === "submission" ? ended : undefined);
    if (known !== undefined) return Promise.resolve(known);
    const { history = options.fromJobSeq !== undefined, fromJobSeq = 0, signal } = options;
    const payload = {
      job_id: jobId,
      history,
      from_job_seq: history ? fromJobSeq : undefined,
      from_event_seq: undefined,
    };
    return this.#ask("job.subscribe", payload, (answer) => this.#subscribed(answer), {
      signal,
      anew: this.#jobs.isEnded(jobId),
      tooLate: () => {
        if (this.#jobs.find(jobId) === undefined) this.#unsubscribe(jobId);
      },
    });
  }

  cancel(jobId: string, reason?: string, options: Waiting = {}): Promise<JobStatus | undefined> {
    return this.#ask("job.cancel", { job_id: jobId, reason }, (answer) => answer.final_status, options);
  }

  close(): Promise<void> {
    this.#fail(closedError());
    return this.#conversation.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #submit(agent: string, input: unknown, options: SubmitOptions): Promise<JobHandle> {
    const { traceId, signal, idempotencyKey = this.#settings.world.ids.next("msg") } = options;
    const payload = submission(agent, input, idempotencyKey, options);
    const origin = { by: "submission", submission: payload, traceId } as const;
    return this.#ask("job.submit", payload, (answer) => this.#accepted(answer, origin), {
      traceId,
      signal,
      tooLate: (answer) => this.#stopUnwanted(answer, origin),
    });
  }

  #accepted(answer: PayloadOf<"job.accepted">, origin: JobOrigin): JobHandle {
    const isForgotten = this.#jobs.isEnded(answer.job_id) && this.#jobs.findEnded(answer.job_id) === undefined;
    const handle = this.#jobs.claim(answer.job_id);
    handle.describe(answer, origin);
    // A session is sent a job's stream once: to have it again is to ask for its history.
    if (isForgotten) this.#follow(handle, 0);
    return handle;
  }

  #subscribed(answer: PayloadOf<"job.subscribed">): JobHandle {
    const known = this.#jobs.find(answer.job_id);
    if (known !== undefined) return known;
    const handle = this.#jobs.begin(answer.job_id);
    handle.describe(answer, { by: "subscription" });
    // Nothing will come of a job that has ended unless its end is asked for.
    if (isFinal(answer.current_status) && !answer.replayed) this.#follow(handle, handle.position);
    return handle;
  }

  /** Has the job's stream sent from after `position` on. */
  #follow(handle: JobHandle, position: number): void {
    const payload = { job_id: handle.id, history: true, from_job_seq: position, from_event_seq: undefined };
    this.#ask("job.subscribe", payload, () => {}, { lapses: true, anew: true }).catch((error) =>
      this.#jobs.fail(handle, error),
    );
  }

  /** In another session: has the job's stream go on, by the way the handle came to it. */
  #reattach(handle: JobHandle): void {
    const { origin } = handle;
    if (origin.by === "subscription") return this.#follow(handle, handle.position);
    const { submission, traceId } = origin;
    const answered = (answer: PayloadOf<"job.accepted">): void => {
      if (answer.job_id === handle.id) return handle.describe(answer, origin);
      this.#stopUnwanted(answer, origin);
      const message = `job ${handle.id} is kept no more: its end came while the session was away`;
      throw new RequestError({ code: "JOB_NOT_FOUND", message, retryable: false });
    };
    this.#ask("job.submit", submission, answered, { traceId, lapses: true }).catch((error) =>
      this.#jobs.fail(handle, error),
    );
  }

  /** Cancels a job that came of a call nobody waits for any more, unless another call has the same job. */
  #stopUnwanted(answer: PayloadOf<"job.accepted">, origin: JobOrigin): void {
    if (this.#jobs.find(answer.job_id) !== undefined) return;
    this.#accepted(answer, origin).cancel("nobody waits for this job");
  }

  #unsubscribe(jobId: string): void {
    const payload = { job_id: jobId };
    this.#conversation.send(this.#conversation.encode({ ...this.#envelope(), type: "job.unsubscribe", payload }));
  }

  /** Sends a request, now or as soon as there is a connection, and again until it is answered. */
  #ask<Type extends RequestType, Result>(
    type: Type,
    payload: PayloadOf<Type>,
    read: (answer: Parameters<Request<Type>["answered"]>[0]) => Result,
    { signal, traceId, lapses = false, anew = false, tooLate }: Asking<Type>,
  ): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    handled(promise);
    let aborted = false;
    const typed: Request<Type> = {
      // `type` and `payload` are of one row of the registry.
      message: { ...this.#envelope(), type, payload, trace_id: traceId } as unknown as MessageOf<Type>,
      sent: false,
      lapses,
      anew,
      answered: (answer) => {
        if (aborted) return tooLate?.(answer);
        try {
          resolve(read(answer));
        } catch (error) {
          reject(error);
        }
      },
      refused: reject,
    };
    // A union over all types, of which this is one.
    const request = typed as unknown as AnyRequest;
    try {
      signal?.throwIfAborted();
      this.#send(request, lapses);
    } catch (error) {
      reject(error);
      return promise;
    }
    if (signal === undefined) return promise;
    const abort = (): void => {
      aborted = true;
      reject(signal.reason);
      if (!request.sent) this.#requests.remove(request);
    };
    signal.addEventListener("abort", abort, { once: true });
    promise.finally(() => signal.removeEventListener("abort", abort)).catch(() => {});
    return promise;
  }

  /** @throws SessionError, RequestError, or TypeError for a message that JSON cannot express. */
  #send(request: AnyRequest, unlimited: boolean): void {
    if (this.#failure !== undefined) throw this.#failure;
    const limit = this.#settings.maxPendingRequests;
    if (!unlimited && this.#requests.size >= limit) {
      const message = `${limit} requests wait for an answer: wait for some, or raise maxPendingRequests`;
      throw new RequestError({ code: "TOO_MANY_REQUESTS", message, retryable: true });
    }
    const frame = this.#conversation.encode(request.message);
    assertFits(frame);
    this.#requests.add(request);
    if (this.#conversation.isLive) this.#transmit(request, frame);
  }

  #transmit(request: AnyRequest, frame: string): void {
    request.sent = true;
    if (request.anew && request.message.type === "job.subscribe") this.#unsubscribe(request.message.payload.job_id);
    this.#conversation.send(frame);
  }

  #live(welcome: Welcome, renewed: boolean): void {
    this.#welcome = welcome;
    const waiting = this.#requests.removeAll();
    if (renewed) {
      this.#jobs.forgetEnded();
      for (const handle of this.#jobs.active) this.#reattach(handle);
    }
    for (const request of waiting) {
      if (renewed && request.lapses) continue;
      this.#requests.add(request);
      this.#transmit(request, this.#conversation.encode(request.message));
    }
    this.#opened.resolve();
  }

  #receive(message: Incoming, length: number): void {
    if (message.type === "job.event" || message.type === "job.result" || message.type === "job.error") {
      this.#jobs.receive(message, length, this.#requests.awaitsJob);
      return;
    }
    if (message.type === "session.error") this.#requests.refuse(message.payload);
    else if (isAnswer(message.type)) this.#requests.answer(message.type, message.payload as never);
    if (!this.#requests.awaitsJob) this.#jobs.dropUnclaimed();
  }

  #fail(error: SessionError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#opened.reject(error);
    this.#requests.refuseAll(error);
    this.#jobs.failAll(error);
  }

  #envelope(): { readonly arcp: string; readonly id: string } {
    return { arcp: ARCP_VERSION, id: this.#settings.world.ids.next("msg") };
  }
}

/** A frame that is too long would only close the connection it is sent on, again and again. */
function assertFits(frame: string): void {
  // A UTF-16 unit takes at most 3 bytes, so that most frames need not be counted.
  if (frame.length * 3 <= MAX_FRAME_BYTES) return;
  const bytes = new TextEncoder().encode(frame).length;
  if (bytes <= MAX_FRAME_BYTES) return;
  const message = `the request has ${bytes} bytes, and a frame holds ${MAX_FRAME_BYTES}: pass large input by reference`;
  throw new RequestError({ code: "INVALID_REQUEST", message, retryable: false, details: { limit: MAX_FRAME_BYTES } });
}
