/** The unfinished jobs this node owns, by id, and who watches their logs. */

import type { Clock, Timers } from "../../platform/world.ts";
import type { CodedError } from "../../protocol/errors.ts";
import type { JobId } from "../ids.ts";
import type { GroupCommit } from "../log/group-commit.ts";
import type { PrincipalKey } from "../principal.ts";
import { ActiveJob, type NewActiveJob, type Surroundings } from "./active-job.ts";
import type { JobRecord } from "./job-record.ts";
import { treeOf } from "./job-tree.ts";

export class JobTable {
  readonly #surroundings: Surroundings;
  readonly #onLost: (tree: readonly ActiveJob[], error: unknown) => void;
  readonly #jobs = new Map<JobId, ActiveJob>();
  /** How many there are of each principal. */
  readonly #counts = new Map<PrincipalKey, number>();
  readonly #watchers = new Map<JobId, Set<() => void>>();
  #closed: CodedError | undefined;

  constructor(options: {
    clock: Clock;
    timers: Timers;
    commits: GroupCommit;
    onPermissionExpired: Surroundings["onPermissionExpired"];
    /** A commit of a tree failed, and none of its jobs is in the table any more. The root comes first. */
    onLost: (tree: readonly ActiveJob[], error: unknown) => void;
  }) {
    this.#surroundings = {
      clock: options.clock,
      timers: options.timers,
      onPermissionExpired: options.onPermissionExpired,
      commits: options.commits,
      onCommitted: (job, ended) => this.#committed(job, ended),
      onLost: (job, error) => this.#lost(job, error),
    };
    this.#onLost = options.onLost;
  }

  get(id: JobId): ActiveJob | undefined {
    return this.#jobs.get(id);
  }

  /** The job, if it is here, has something for the next commit that goes with what others of its tree have. */
  touch(id: JobId): void {
    this.#jobs.get(id)?.tie();
  }

  get size(): number {
    return this.#jobs.size;
  }

  /** Unfinished jobs of a principal, delegated ones too. */
  countOf(principal: PrincipalKey): number {
    return this.#counts.get(principal) ?? 0;
  }

  values(): IterableIterator<ActiveJob> {
    return this.#jobs.values();
  }

  /**
   * Children of jobs that are here are taken in even when the table is closed: they are part of what still runs.
   * @throws CodedError the reason for which the table was closed.
   */
  add(job: NewActiveJob): ActiveJob {
    if (this.#closed !== undefined && job.parent === undefined) throw this.#closed;
    const active = new ActiveJob(job, this.#surroundings);
    const { id, principal } = job.record;
    this.#jobs.set(id, active);
    this.#counts.set(principal, this.countOf(principal) + 1);
    return active;
  }

  #remove({ id, principal }: Pick<JobRecord, "id" | "principal">): void {
    if (!this.#jobs.delete(id)) return;
    const left = this.countOf(principal) - 1;
    if (left > 0) this.#counts.set(principal, left);
    else this.#counts.delete(principal);
  }

  /** Takes no new tree any more. Those that are here stay until `clear`. */
  close(reason: CodedError): void {
    this.#closed ??= reason;
  }

  /** Takes every job out of memory; whoever waits for a commit of theirs hears `error`. */
  clear(error: CodedError): void {
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    this.#counts.clear();
    for (const job of jobs) job.evict(error);
  }

  /** Calls `watcher` after each commit that added to the job's log; returns how to stop. */
  watch(id: JobId, watcher: () => void): () => void {
    const watchers = this.#watchers.get(id) ?? new Set();
    this.#watchers.set(id, watchers.add(watcher));
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#watchers.get(id) === watchers) this.#watchers.delete(id);
    };
  }

  #committed(job: ActiveJob, ended: boolean): void {
    if (ended) this.#remove(job.record);
    for (const watcher of this.#watchers.get(job.record.id) ?? []) watcher();
  }

  /** Counters and holds tie the jobs of a tree together: where one is behind the disk, none is what it was. */
  #lost(job: ActiveJob, error: unknown): void {
    if (this.#jobs.get(job.record.id) !== job) return;
    const tree = treeOf(job);
    for (const { record } of tree) this.#remove(record);
    this.#onLost(tree, error);
    for (const each of tree) each.evict(error);
  }
}
