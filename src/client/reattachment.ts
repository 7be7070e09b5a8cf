/**
 * The old session's stream is kept no more, and another session has begun: takes up every job that was handed out where
 * its handle had got to. First by subscribing from there, which never runs anything; then, for a job submitted here that
 * could not be cancelled otherwise, by its idempotency key, which gives back the right to cancel (§7.2, §7.4). A few jobs at
 * a time, and again after a pause where the runtime asks for patience. What cannot be taken up fails by itself.
 */
import type { Timer, World } from "../platform/world.ts";
import type { PayloadOf } from "../protocol/registry.ts";
import { ClientError, FollowError } from "./errors.ts";
import type { FollowedJobs } from "./followed-jobs.ts";
import { isFinal } from "./job.ts";
import type { JobHandle } from "./job-handle.ts";
import { askedDelay, type ReconnectPolicy, randomFraction, reconnectDelay } from "./reconnect.ts";
import type { RequestSender } from "./request-sender.ts";

/** Jobs being taken up at a time. */
const MOST_AT_ONCE = 32;

export interface ReattachmentOptions {
  readonly world: World;
  readonly sender: RequestSender;
  readonly jobs: FollowedJobs;
  /** How long to wait before asking again for what was refused for the time being, and how often. */
  readonly patience: ReconnectPolicy;
  /** Ends a job that a submission began, where it was meant to come back to one. */
  stop(answer: PayloadOf<"job.accepted">, job: JobHandle): void;
}

/** The taking up of jobs in one session; the next session has another. */
export class Reattachment {
  readonly #options: ReattachmentOptions;
  readonly #features: ReadonlySet<string>;
  readonly #waiting: JobHandle[];
  readonly #pauses = new Set<Timer>();
  #underway = 0;

  constructor(features: readonly string[], options: ReattachmentOptions) {
    this.#options = options;
    this.#features = new Set(features);
    this.#waiting = [...options.jobs.active];
  }

  /** Begins. Requests made from now on find the right to cancel where it was. */
  start(): void {
    for (const job of this.#waiting) if (this.#needsKey(job)) this.#options.sender.hold(job.id);
    this.#proceed();
  }

  /** The session is over, and with it every request of it: nothing is asked again. */
  stop(): void {
    for (const pause of this.#pauses) pause.cancel();
  }

  #proceed(): void {
    while (this.#underway < MOST_AT_ONCE) {
      const job = this.#waiting.shift();
      if (job === undefined) return;
      if (job.ended) continue;
      this.#underway += 1;
      this.#takeUp(job);
    }
  }

  #takeUp(job: JobHandle): void {
    this.#follow(job)
      .catch((error: unknown) => this.#options.jobs.fail(job, asFollowError(job, error)))
      .finally(() => this.#done(job));
  }

  #done(job: JobHandle): void {
    this.#underway -= 1;
    this.#options.sender.release(job.id);
    this.#proceed();
  }

  async #follow(job: JobHandle): Promise<void> {
    if (!job.isNumbered) {
      const message = "its events have no job_seq, by which another session could go on where the last one ended";
      throw new FollowError(job.id, { code: "EVENTS_LOST", message });
    }
    // Without subscriptions the whole history comes, and what the handle has is passed over.
    if (!this.#features.has("subscribe") && job.origin.by === "submission") {
      return this.#patiently(job, () => this.#resubmit(job));
    }
    const isOver = await this.#patiently(job, () => this.#subscribe(job));
    if (isOver || !this.#needsKey(job)) return;
    // Without the right to cancel it is followed all the same: a cancellation is then refused by itself.
    await this.#patiently(job, () => this.#resubmit(job)).catch(() => {});
  }

  /** Asks again what is refused for the time being. Never settles when the session ends meanwhile. */
  async #patiently<Result>(job: JobHandle, ask: () => Promise<Result>): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await ask();
      } catch (error) {
        const delay = job.ended ? undefined : this.#pauseAfter(error, attempt);
        if (delay === undefined) throw error;
        await new Promise<void>((resolve) => {
          const pause = this.#options.world.timers.after(delay, () => {
            this.#pauses.delete(pause);
            resolve();
          });
          this.#pauses.add(pause);
        });
      }
    }
  }

  /** Resolves with whether the job had ended. */
  #subscribe(job: JobHandle): Promise<boolean> {
    const { id, position, origin } = job;
    const payload = { job_id: id, history: true, from_job_seq: position, from_event_seq: undefined };
    const answered = (answer: PayloadOf<"job.subscribed">): boolean => {
      if ((answer.subscribed_from ?? position) > position) {
        const message = `its log is kept from ${answer.subscribed_from} on only, and this session had got to ${position}`;
        throw new FollowError(id, { code: "EVENTS_LOST", message });
      }
      job.describe(answer, origin);
      return isFinal(answer.current_status);
    };
    return this.#options.sender.ask("job.subscribe", payload, answered, { lapses: true });
  }

  #resubmit(job: JobHandle): Promise<void> {
    const { origin } = job;
    if (origin.by !== "submission") return Promise.resolve();
    const { submission, traceId } = origin;
    const answered = (answer: PayloadOf<"job.accepted">): void => {
      if (answer.job_id === job.id) return job.describe(answer, origin);
      this.#options.stop(answer, job);
      const message = "its end came while the session was away, and it is kept no more";
      throw new FollowError(job.id, { code: "JOB_NOT_FOUND", message });
    };
    return this.#options.sender.ask("job.submit", submission, answered, { traceId, lapses: true });
  }

  #needsKey({ origin }: JobHandle): boolean {
    return origin.by === "submission" && !this.#features.has("x-leasehold.control");
  }

  /** How long to wait before another attempt; undefined when there is no sense in one. */
  #pauseAfter(error: unknown, attempt: number): number | undefined {
    if (!(error instanceof ClientError) || !error.retryable) return undefined;
    const delay = reconnectDelay(this.#options.patience, attempt, randomFraction(this.#options.world));
    return delay === undefined ? undefined : Math.max(delay, askedDelay(error.details));
  }
}

function asFollowError(job: JobHandle, error: unknown): FollowError {
  if (error instanceof FollowError) return error;
  const { code = "INTERNAL_ERROR", message } = error as Error & { code?: string };
  return new FollowError(job.id, { code, message }, { cause: error });
}
