/**
 * The port through which a face adds its own rows to a kernel transition: the sessions face places events in its
 * sessions' streams, the coordinator writes its run events. Same commit, or none.
 */
import type { PermissionRow } from "../authority/permission.ts";
import type { JobRecord } from "../job/job-record.ts";
import type { Chunk, Rows } from "../ports.ts";

/** What one group commit does to one job. */
export interface Transition {
  /** The job as it will be once committed. */
  readonly job: JobRecord;
  /** True when this commit inserts the job. */
  readonly accepted: boolean;
  /** True when this commit moves the job's state: a first or further attempt, the beginning of its end, its end. */
  readonly moved: boolean;
  /** True when this commit puts the job's terminal entry on its log. */
  readonly ended: boolean;
  /** Entries appended in this commit, in order; none for a transition without entries. */
  readonly chunks: readonly Chunk[];
  /** Permissions that this commit adds or changes, in order; absent for nearly all commits. */
  readonly permissions?: readonly PermissionRow[];
}

/** Rows to commit, and what to do once their fate is known. Neither callback may throw or wait. */
export interface Contribution {
  readonly rows: Partial<Rows>;
  /** The rows are durable: publish. */
  committed(): void;
  /** Nothing was written: forget whatever was planned. */
  failed?(error: unknown): void;
}

export interface Contributor {
  /**
   * Called once per group commit, right before it goes to the store, with every transition in it. Must change nothing
   * that `failed` could not simply forget: positions are planned here and taken in `committed`.
   */
  contribute(transitions: readonly Transition[]): Contribution | undefined;
}
