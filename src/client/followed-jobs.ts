/**
 * The jobs whose messages a session receives, and the routing of those messages. A message may come before the answer
 * that names its job, when that answer was lost and the stream is replayed: its job is held unclaimed until the answer
 * comes again.
 */
import type { Job, JobMessage } from "./job-handle.ts";
import { JobHandle, type JobLimits } from "./job-handle.ts";

/** Jobs that may stand unclaimed; messages of more are passed over. */
const MAX_UNCLAIMED = 1_000;
/** How many ended jobs are remembered by id. One that is forgotten and submitted again by its key gets no events. */
const MAX_ENDED = 10_000;

export class FollowedJobs {
  readonly #limits: JobLimits;
  readonly #cancel: (id: string, ...rest: Parameters<Job["cancel"]>) => Promise<void>;
  /** Not ended, each with its handle. */
  readonly #active = new Map<string, JobHandle>();
  readonly #unclaimed = new Map<string, JobHandle>();
  /** Ended, or none of ours: oldest first. */
  readonly #ended = new Set<string>();

  constructor(limits: JobLimits, cancel: (id: string, ...rest: Parameters<Job["cancel"]>) => Promise<void>) {
    this.#limits = limits;
    this.#cancel = cancel;
  }

  get active(): readonly JobHandle[] {
    return [...this.#active.values()];
  }

  find(id: string): JobHandle | undefined {
    return this.#active.get(id);
  }

  /** Whether the job's stream came to its end in this session, so that no more of it will come by itself. */
  isEnded(id: string): boolean {
    return this.#ended.has(id);
  }

  /** The handle of a job that an answer has named, with whatever of it came before. */
  claim(id: string): JobHandle {
    const known = this.#active.get(id) ?? this.#unclaimed.get(id);
    const handle = known ?? this.#create(id);
    this.#unclaimed.delete(id);
    this.#ended.delete(id);
    this.#active.set(id, handle);
    if (handle.ended) this.#retire(id);
    return handle;
  }

  /** @param mayBeNamed an answer is due that may name a job for the first time. */
  receive(message: JobMessage, length: number, mayBeNamed: boolean): void {
    const id = message.job_id;
    const handle = this.#active.get(id) ?? this.#unclaimed.get(id) ?? (mayBeNamed ? this.#hold(id) : undefined);
    if (handle === undefined) return;
    handle.receive(message, length);
    if (handle.ended && this.#active.has(id)) this.#retire(id);
  }

  /** No answer is due: what is unclaimed is nobody's. */
  dropUnclaimed(): void {
    this.#unclaimed.clear();
  }

  /** Passes over whatever comes of the job from now on. */
  disown(id: string): void {
    this.#unclaimed.delete(id);
    this.#retire(id);
  }

  /** Another session begins: what ended in the last one may be asked for anew. */
  forgetEnded(): void {
    this.#ended.clear();
  }

  /** Ends one handle. */
  fail(handle: JobHandle, error: Error): void {
    handle.fail(error);
    this.#retire(handle.id);
  }

  /** Ends every handle: nothing more will come. */
  failAll(error: Error): void {
    for (const handle of this.#active.values()) handle.fail(error);
    this.#active.clear();
    this.#unclaimed.clear();
  }

  #hold(id: string): JobHandle | undefined {
    if (this.#ended.has(id) || this.#unclaimed.size >= MAX_UNCLAIMED) return undefined;
    const handle = this.#create(id);
    this.#unclaimed.set(id, handle);
    return handle;
  }

  #create(id: string): JobHandle {
    return new JobHandle(id, this.#limits, (reason, options) => this.#cancel(id, reason, options));
  }

  #retire(id: string): void {
    this.#active.delete(id);
    this.#ended.add(id);
    if (this.#ended.size <= MAX_ENDED) return;
    for (const oldest of this.#ended) {
      this.#ended.delete(oldest);
      return;
    }
  }
}
