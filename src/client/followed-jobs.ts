/**
 * The jobs whose messages a session receives, and the routing of those messages. A message may come before the answer
 * that names its job, when that answer was lost and the stream is replayed: its job is held unclaimed until the answer
 * comes again.
 */
import type { JobLimits } from "./job.ts";
import { type JobActions, JobHandle, type JobMessage } from "./job-handle.ts";

/** Jobs that may stand unclaimed; messages of more are passed over. */
const MAX_UNCLAIMED = 1_000;
/**
 * How many ended jobs keep their handle, as far as their events fit `maxBufferedLength` together. A session is sent a
 * job's log once, so that a submission that comes back to the job by its key is given what is here.
 */
const MAX_KEPT = 1_000;
/** How many ended jobs are remembered by id. One that is forgotten and submitted again by its key gets no events. */
const MAX_ENDED = 10_000;

/** What is kept of a job that nobody here asked for, but that was delegated: so much less than of any other. */
const CHILD_SHARE = 8;

export class FollowedJobs {
  readonly #limits: JobLimits;
  readonly #actions: JobActions;
  /** Not ended, each with its handle. */
  readonly #active = new Map<string, JobHandle>();
  readonly #unclaimed = new Map<string, JobHandle>();
  /** Ended, oldest first; without its handle when that is kept no more. */
  readonly #ended = new Map<string, JobHandle | undefined>();
  /** Handles in `#ended`, oldest first, each with how much it kept when its job ended: readers may make that less. */
  #kept: { readonly handle: JobHandle; readonly length: number }[] = [];
  #keptLength = 0;

  constructor(limits: JobLimits, actions: JobActions) {
    this.#limits = limits;
    this.#actions = actions;
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

  findEnded(id: string): JobHandle | undefined {
    return this.#ended.get(id);
  }

  /** The handle of a job that an answer has named, with whatever of it came before. */
  claim(id: string): JobHandle {
    const known = this.#active.get(id) ?? this.#ended.get(id);
    return known ?? this.begin(id);
  }

  /** As `claim`, but for a job whose stream comes again from where it is asked for. */
  begin(id: string): JobHandle {
    const handle = this.#unclaimed.get(id) ?? this.#create(id);
    this.#unclaimed.delete(id);
    this.#ended.delete(id);
    this.#active.set(id, handle);
    if (handle.ended) this.#retire(handle);
    return handle;
  }

  /** @param mayBeNamed an answer is due that may name a job for the first time. */
  receive(message: JobMessage, length: number, mayBeNamed: boolean): void {
    const id = message.job_id;
    const handle = this.#active.get(id) ?? this.#unclaimed.get(id) ?? (mayBeNamed ? this.#hold(id) : undefined);
    if (handle === undefined) return;
    handle.receive(message, length);
    if (handle.ended && this.#active.has(id)) this.#retire(handle);
  }

  /** The handle of a job that an earlier one has delegated; undefined when that one is nobody's. */
  claimChild(id: string, parentId: string): JobHandle | undefined {
    const parent = this.#active.get(parentId) ?? this.#unclaimed.get(parentId) ?? this.#ended.get(parentId);
    if (parent === undefined) return undefined;
    const known = this.#active.get(id) ?? this.#unclaimed.get(id) ?? this.#ended.get(id);
    if (known === undefined) this.#unclaimed.set(id, this.#create(id, this.#limits.maxBufferedLength / CHILD_SHARE));
    const child = this.claim(id);
    parent.addChild(child);
    return child;
  }

  /** What is unclaimed, of one job or of all, is nobody's. */
  dropUnclaimed(id?: string): void {
    const dropped = id === undefined ? this.#unclaimed.values() : [this.#unclaimed.get(id)];
    for (const handle of dropped) for (const child of handle?.children ?? []) this.#active.delete(child.id);
    if (id === undefined) this.#unclaimed.clear();
    else this.#unclaimed.delete(id);
  }

  /** Another session begins: what ended in the last one may be asked for anew. */
  forgetEnded(): void {
    this.#ended.clear();
    this.#kept = [];
    this.#keptLength = 0;
  }

  /** Ends one handle. Its job has not ended, so that another may be had. */
  fail(handle: JobHandle, error: Error): void {
    handle.fail(error);
    this.leave(handle);
  }

  /** Routes no more to a handle. */
  leave(handle: JobHandle): void {
    if (this.#active.get(handle.id) === handle) this.#active.delete(handle.id);
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

  #create(id: string, maxBufferedLength = this.#limits.maxBufferedLength): JobHandle {
    return new JobHandle(id, { ...this.#limits, maxBufferedLength }, this.#actions);
  }

  #retire(handle: JobHandle): void {
    this.#active.delete(handle.id);
    this.#ended.set(handle.id, handle);
    const length = handle.keptLength;
    this.#kept.push({ handle, length });
    this.#keptLength += length;
    while (this.#kept.length > MAX_KEPT || this.#keptLength > this.#limits.maxBufferedLength) {
      const oldest = this.#kept.shift();
      if (oldest === undefined) break;
      this.#keptLength -= oldest.length;
      const { id } = oldest.handle;
      if (this.#ended.get(id) === oldest.handle) this.#ended.set(id, undefined);
      oldest.handle.leaveParent();
    }
    if (this.#ended.size <= MAX_ENDED) return;
    const [oldest] = this.#ended.keys();
    if (oldest !== undefined) this.#ended.delete(oldest);
  }
}
