/** A session as a caller holds it: jobs are submitted, followed, listed and cancelled here, over whatever connection there is. */
import type { MessageOf, PayloadOf } from "../protocol/registry.ts";
import type { AgentInput, AgentOutput, AgentReference } from "./agent-types.ts";
import { Conversation, type ConversationSettings, closedError, type Incoming, type Welcome } from "./conversation.ts";
import { type ClientError, FollowError, RequestError, type SessionError } from "./errors.ts";
import { FollowedJobs } from "./followed-jobs.ts";
import { abortable, handled } from "./handed-out.ts";
import { isFinal, type Job, type JobLimits, type JobStatus, type Waiting } from "./job.ts";
import type { JobHandle, JobOrigin } from "./job-handle.ts";
import { type JobFilter, type JobListings, jobListings, listRequest, readPage } from "./job-listings.ts";
import { LeftJobs } from "./left-jobs.ts";
import { PermissionInbox } from "./permission-inbox.ts";
import { createPermissions, type Permissions } from "./permissions.ts";
import { Reattachment } from "./reattachment.ts";
import { RequestSender } from "./request-sender.ts";
import { type SubmitOptions, submission } from "./submission.ts";

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
  /** What jobs ask people for, and the answers. */
  readonly permissions: Permissions;
  /**
   * Submits a job (§7.1); resolves once the runtime has accepted it. It runs on whatever becomes of this session. An
   * abort while this waits also cancels the job, should it be accepted after all, unless it has an `idempotencyKey` of
   * the caller's: by that it can be had again, and may be somebody else's too.
   * Rejects with `TypeError` when the input is not JSON.
   */
  submit<const Reference extends AgentReference<Agents>>(
    agent: Reference,
    input: AgentInput<Agents, Reference>,
    options?: SubmitOptions,
  ): Promise<Job<AgentOutput<Agents, Reference>>>;
  /**
   * The jobs this principal may see, newest first (§6.6): `for await (const job of session.jobs())`, or `page()` by
   * `page()`. Needs the feature `list_jobs`. Asks nothing before it is iterated.
   */
  jobs(filter?: JobFilter, options?: Waiting): JobListings;
  /**
   * Follows a job submitted elsewhere or before (§7.6). Needs `subscribe`. A job followed already keeps its handle; where
   * that began later than is asked for here, this rejects with `INVALID_REQUEST`: `unsubscribe()` it first.
   */
  subscribe(jobId: string, options?: SubscribeOptions): Promise<Job>;
  /**
   * Cancels a job by id: one of this session (§7.4), or, with the feature `x-leasehold.control`, any of the principal's.
   * Resolves once the runtime has answered, with the status the job had ended with before, if it had.
   */
  cancel(jobId: string, reason?: string, options?: Waiting): Promise<JobStatus | undefined>;
  /**
   * Ends the session (§6.7): whatever waits in it rejects with `SESSION_CLOSED`. Jobs run on. Resolves once the runtime
   * has said so, or after 5 s; an abort ends this wait only. Idempotent.
   */
  close(options?: Waiting): Promise<void>;
}

export interface SessionSettings extends ConversationSettings {
  readonly jobLimits: JobLimits;
  readonly maxPendingRequests: number;
}

export class LiveSession implements Session {
  readonly #settings: SessionSettings;
  readonly #conversation: Conversation;
  readonly #sender: RequestSender;
  readonly #jobs: FollowedJobs;
  readonly #left = new LeftJobs();
  readonly #inbox = new PermissionInbox();
  readonly permissions: Permissions;
  /** Subscriptions that wait for their answer, by job. They do not reject. */
  readonly #subscribing = new Map<string, Promise<void>>();
  readonly #opened = Promise.withResolvers<void>();
  #reattachment: Reattachment | undefined;
  #welcome: Welcome | undefined;
  #failure: SessionError | undefined;

  constructor(settings: SessionSettings) {
    this.#settings = settings;
    this.#jobs = new FollowedJobs(settings.jobLimits, {
      cancel: (job, reason, options) => this.#cancelJob(job, reason, options),
      unsubscribe: (job) => this.#leave(job),
      bringsChildren: (job) => this.#bringsChildren(job),
      followChild: (id, signal) => this.subscribe(id, { history: true, signal }),
    });
    this.#conversation = new Conversation(settings, {
      live: (welcome, renewed) => this.#live(welcome, renewed),
      message: (message, length) => this.#receive(message, length),
      ended: (error) => this.#fail(error),
    });
    this.#sender = new RequestSender(this.#conversation, settings.world, settings.maxPendingRequests);
    this.permissions = createPermissions(this.#sender, this.#inbox);
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

  jobs(filter: JobFilter = {}, { signal }: Waiting = {}): JobListings {
    const page: JobListings["page"] = async (cursor) =>
      this.#sender.ask("session.list_jobs", listRequest(filter, cursor), readPage, { signal });
    return jobListings((cursor) => handled(page(cursor)), signal);
  }

  subscribe(jobId: string, options: SubscribeOptions = {}): Promise<JobHandle> {
    return handled(this.#subscribe(jobId, options));
  }

  cancel(jobId: string, reason?: string, options: Waiting = {}): Promise<JobStatus | undefined> {
    return this.#sender.ask("job.cancel", { job_id: jobId, reason }, (answer) => answer.final_status, options);
  }

  close(options: Waiting = {}): Promise<void> {
    this.#fail(closedError());
    return abortable(this.#conversation.close(), options.signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #submit(agent: string, input: unknown, options: SubmitOptions): Promise<JobHandle> {
    const { traceId, signal, idempotencyKey = this.#settings.world.ids.next("msg") } = options;
    const payload = submission(agent, input, idempotencyKey, options);
    const origin = { by: "submission", submission: payload, traceId } as const;
    const isOurs = options.idempotencyKey === undefined;
    return this.#sender.ask("job.submit", payload, (answer) => this.#accepted(answer, origin), {
      traceId,
      signal,
      tooLate: (answer) => void (isOurs ? this.#stop(answer, origin) : this.#accepted(answer, origin)),
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

  async #subscribe(jobId: string, options: SubscribeOptions): Promise<JobHandle> {
    const { history = options.fromJobSeq !== undefined, fromJobSeq = 0, signal } = options;
    const wanted = history ? fromJobSeq : undefined;
    for (;;) {
      signal?.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure;
      const ended = this.#jobs.findEnded(jobId);
      const known = this.#jobs.find(jobId) ?? (ended?.origin.by === "subscription" ? undefined : ended);
      if (known !== undefined) return covering(known, wanted);
      // A runtime that is asked twice at a time begins once, and not where the second asks it to.
      const earlier = this.#subscribing.get(jobId);
      if (earlier === undefined) return this.#askToSubscribe(jobId, wanted, signal);
      await abortable(earlier, signal);
    }
  }

  #askToSubscribe(jobId: string, wanted: number | undefined, signal: AbortSignal | undefined): Promise<JobHandle> {
    const anew = this.#jobs.isEnded(jobId) || this.#left.has(jobId);
    const leave = (): void => {
      if (this.#jobs.find(jobId) === undefined && !this.#sender.awaitsSubscription(jobId)) this.#unsubscribe(jobId);
    };
    const asked = this.#sender.ask(
      "job.subscribe",
      // A runtime of the draft alone knows the beginning of a job's history, and no other place in it.
      {
        job_id: jobId,
        history: wanted !== undefined,
        from_job_seq: wanted,
        from_event_seq: wanted === 0 ? 0 : undefined,
      },
      (answer, begunAnew) => this.#subscribed(answer, wanted, begunAnew),
      { signal, anew, aborted: leave, tooLate: leave },
    );
    const settled = (): void => void this.#subscribing.delete(jobId);
    this.#subscribing.set(jobId, asked.then(settled, settled));
    return asked;
  }

  /**
   * @param wanted where the handle is to begin; undefined for anywhere.
   * @param anew the stream begins with this answer: whatever of the job came before is of an earlier subscription.
   */
  #subscribed(answer: PayloadOf<"job.subscribed">, wanted: number | undefined, anew: boolean): JobHandle {
    const known = this.#jobs.find(answer.job_id);
    if (known !== undefined) return covering(known, wanted);
    this.#left.delete(answer.job_id);
    if (anew) this.#jobs.dropUnclaimed(answer.job_id);
    const handle = this.#jobs.begin(answer.job_id);
    handle.describe(answer, { by: "subscription" });
    // Nothing will come of a job that has ended unless its end is asked for.
    if (isFinal(answer.current_status) && !answer.replayed) this.#follow(handle, handle.position);
    return handle;
  }

  /** A job that may be cancelled here has delegated another (§10). */
  #delegated(answer: PayloadOf<"job.accepted">): void {
    this.#jobs.claimChild(answer.job_id, answer.parent_job_id ?? "")?.describe(answer, { by: "delegation" });
  }

  #bringsChildren(job: JobHandle): boolean {
    return job.bringsChildren && this.features.includes("x-leasehold.delegation");
  }

  /** Has the job's stream sent from after `position` on. */
  #follow(handle: JobHandle, position: number): void {
    const payload = { job_id: handle.id, history: true, from_job_seq: position, from_event_seq: undefined };
    this.#sender
      .ask("job.subscribe", payload, () => {}, { lapses: true, anew: true })
      .catch((error: ClientError) =>
        this.#jobs.fail(
          handle,
          error instanceof RequestError ? new FollowError(handle.id, error, { cause: error }) : error,
        ),
      );
  }

  #leave(job: JobHandle): void {
    this.#jobs.leave(job);
    this.#unsubscribe(job.id);
  }

  #unsubscribe(jobId: string): void {
    this.#left.add(jobId);
    this.#sender.unsubscribe(jobId);
  }

  #cancelJob(job: JobHandle, reason: string | undefined, options: Waiting | undefined): Promise<void> {
    if (job.origin.by === "subscription" && !this.features.includes("x-leasehold.control")) {
      const message = `job ${job.id} was subscribed to, which gives no right to cancel it (§7.6), and this session did not negotiate x-leasehold.control`;
      return handled(Promise.reject(new RequestError({ code: "PERMISSION_DENIED", message, retryable: false })));
    }
    return handled(this.cancel(job.id, reason, options).then(() => {}));
  }

  /** Cancels a job that came of a submission nobody waits for any more, unless another call has the same job. */
  #stop(answer: PayloadOf<"job.accepted">, origin: JobOrigin): void {
    if (this.#jobs.find(answer.job_id) !== undefined) return;
    this.#accepted(answer, origin).cancel("nobody waits for this job");
  }

  #live(welcome: Welcome, renewed: boolean): void {
    this.#welcome = welcome;
    const { features } = welcome.capabilities;
    if (renewed) {
      this.#reattachment?.stop();
      this.#jobs.forgetEnded();
      this.#left.clear();
      this.#reattachment = new Reattachment(features, {
        world: this.#settings.world,
        sender: this.#sender,
        jobs: this.#jobs,
        patience: this.#settings.reconnect,
        stop: (answer, { origin }) => this.#stop(answer, origin),
      });
    }
    this.#sender.live(features, renewed, () => {
      if (renewed) this.#reattachment?.start();
    });
    this.#opened.resolve();
  }

  #receive(message: Incoming, length: number): void {
    if (isChild(message)) return this.#delegated(message.payload);
    if (message.type === "permission.request") return this.#inbox.receive(message.payload);
    if (message.type === "job.event") this.#inbox.event(message.payload);
    else if (message.type === "job.result" || message.type === "job.error") this.#inbox.ended(message.job_id);
    if (message.type === "job.event" || message.type === "job.result" || message.type === "job.error") {
      this.#jobs.receive(message, length, this.#sender.awaitsJob);
      return;
    }
    this.#sender.receive(message);
    if (!this.#sender.awaitsJob) this.#jobs.dropUnclaimed();
  }

  #fail(error: SessionError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#reattachment?.stop();
    this.#opened.reject(error);
    this.#sender.fail(error);
    this.#inbox.fail(error);
    this.#jobs.failAll(error);
  }
}

/** An acceptance that answers no request of ours: it has a place in the stream, behind its parent's `delegate` event. */
function isChild(message: Incoming): message is MessageOf<"job.accepted"> {
  if (message.type !== "job.accepted") return false;
  return message.payload.request_id === undefined && message.payload.parent_job_id !== undefined;
}

/** @throws RequestError INVALID_REQUEST when the handle began after `wanted`. */
function covering(handle: JobHandle, wanted: number | undefined): JobHandle {
  if (wanted === undefined || handle.beginsAfter <= wanted) return handle;
  const message = `job ${handle.id} is followed already, from after its event ${handle.beginsAfter}: unsubscribe() from it to follow it from ${wanted}`;
  throw new RequestError({ code: "INVALID_REQUEST", message, retryable: false, details: { field: "fromJobSeq" } });
}
