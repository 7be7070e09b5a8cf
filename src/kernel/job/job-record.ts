/** A job as it is stored and as everyone but its own machine sees it. */
import type { JobId, SessionId } from "../ids.ts";
import type { PrincipalKey } from "../principal.ts";
import type { JobState, JobStatus } from "./job-state.ts";

export interface JobRecord extends JobState {
  readonly id: JobId;
  /** The root of the job's tree; its own id for a root. */
  readonly root: JobId;
  readonly parent: JobId | null;
  /** Of a child: names the delegation, on its parent's log and to the sessions that follow it (§10); null for a root. */
  readonly delegateId: string | null;
  readonly principal: PrincipalKey;
  /** Those of the principal when the tree's root was submitted, with spaces between; a policy judges delegations by them. */
  readonly roles: string;
  /** The submitting session; null when submitted in process. */
  readonly session: SessionId | null;
  readonly agent: string;
  /** Resolved at submission and fixed (§7.5). */
  readonly version: string;
  /** 32 hex digits. */
  readonly traceId: string;
  /** The span that submitted the job, and its flags, such as `00f067aa0ba902b7-01` (§11); null where only a trace was named. */
  readonly traceParent: string | null;
  /** JSON text of the `Lease`, immutable; null for a job without one, which may do nothing that needs one. */
  readonly lease: string | null;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** `createdAt` and `max_runtime_sec`, in milliseconds since the epoch. When it runs out says `runtimeEndsAt`. */
  readonly deadlineAt: number | null;
  /** When the lease expires, in milliseconds since the epoch (§9.5). */
  readonly expiresAt: number | null;
}

/** `name@version`, as resolved at submission (§7.5). */
export function agentReference({ agent, version }: Pick<JobRecord, "agent" | "version">): string {
  return `${agent}@${version}`;
}

/** A job's status as it is shown. `ending` is ours alone: until the terminal is out, the job runs as far as anyone can see. */
export type ShownStatus = Exclude<JobStatus, "ending">;

export function shownStatus(status: JobStatus): ShownStatus {
  return status === "ending" ? "running" : status;
}
