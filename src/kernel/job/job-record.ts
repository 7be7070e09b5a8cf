/** A job as it is stored and as everyone but its own machine sees it. */
import type { JobId, SessionId } from "../ids.ts";
import type { PrincipalKey } from "../principal.ts";
import type { JobState } from "./job-state.ts";

export interface JobRecord extends JobState {
  readonly id: JobId;
  /** The root of the job's tree; its own id for a root. */
  readonly root: JobId;
  readonly parent: JobId | null;
  readonly principal: PrincipalKey;
  /** The submitting session; null when submitted in process. */
  readonly session: SessionId | null;
  readonly agent: string;
  /** Resolved at submission and fixed (§7.5). */
  readonly version: string;
  /** 32 hex digits. */
  readonly traceId: string;
  /** What was asked for, as JSON text of `Submission`; immutable. */
  readonly submission: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** When `max_runtime_sec` runs out, in milliseconds since the epoch. */
  readonly deadlineAt: number | null;
  /** When the lease expires, in milliseconds since the epoch (§9.5). */
  readonly expiresAt: number | null;
}
