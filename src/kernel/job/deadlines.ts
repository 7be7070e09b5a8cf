/** What ends a job by the clock: `max_runtime_sec` running out (§7.3) and the lease's expiry (§9.5). */

import type { Timer, World } from "../../platform/world.ts";
import { CodedError } from "../../protocol/errors.ts";
import { formatTime } from "../log/entry.ts";
import type { JobRecord } from "./job-record.ts";
import type { Outcome } from "./job-state.ts";

/**
 * How long an agent may unwind after its lease has expired, and its signal has told it so, before its job is ended.
 * Operations get no grace at all: the guard refuses them from `expires_at` on.
 */
const UNWIND_AFTER_EXPIRY_MS = 1_000;

interface Deadline {
  readonly at: number;
  readonly outcome: Outcome;
}

/**
 * When a job's `max_runtime_sec` runs out, in milliseconds since the epoch; null while it waits for its first attempt,
 * and for a job without one. It is counted from the start of the first attempt: a job does not run while it waits.
 */
export function runtimeEndsAt(job: Pick<JobRecord, "createdAt" | "deadlineAt" | "startedAt">): number | null {
  if (job.deadlineAt === null || job.startedAt === null) return null;
  return job.startedAt + (job.deadlineAt - job.createdAt);
}

/** The first deadline of a job, or undefined when it has none. */
export function firstDeadline(job: JobRecord): Deadline | undefined {
  if (job.deadlineAt === null && job.expiresAt === null) return undefined;
  const deadlines: Deadline[] = [];
  const endsAt = runtimeEndsAt(job);
  if (endsAt !== null) {
    const error = new CodedError(
      "TIMEOUT",
      `the job ran past its max_runtime_sec, which ended at ${formatTime(endsAt)}`,
    );
    deadlines.push({ at: endsAt, outcome: { status: "timed_out", error: error.toBody() } });
  }
  if (job.expiresAt !== null) {
    const error = leaseExpired(job.expiresAt);
    deadlines.push({ at: job.expiresAt + UNWIND_AFTER_EXPIRY_MS, outcome: { status: "error", error: error.toBody() } });
  }
  return deadlines.sort((a, b) => a.at - b.at)[0];
}

/** Why a job whose lease has expired ends. */
export function leaseExpired(expiresAt: number): CodedError {
  const expired = formatTime(expiresAt);
  return new CodedError("LEASE_EXPIRED", `the job's lease expired at ${expired}`, { details: { expired_at: expired } });
}

/** Whether a job ends because its own lease has expired. An error that says so may be another's: a child's, handed on. */
export function endsByExpiry({ expiresAt }: Pick<JobRecord, "expiresAt">, outcome: Outcome, now: number): boolean {
  return outcome.status === "error" && outcome.error.code === "LEASE_EXPIRED" && expiresAt !== null && now >= expiresAt;
}

/** Calls `expire` when the job's lease expires; at once, or nearly, when it has. Undefined for a lease that never does. */
export function armExpiry(
  { expiresAt }: Pick<JobRecord, "expiresAt">,
  world: World,
  expire: (expired: CodedError) => void,
): Timer | undefined {
  if (expiresAt === null) return undefined;
  let timer: Timer;
  const arm = (): void => {
    timer = world.timers.after(Math.max(0, expiresAt - world.clock.now()), () => {
      // A timer may be a millisecond ahead of the clock that the guard reads.
      if (world.clock.now() < expiresAt) arm();
      else expire(leaseExpired(expiresAt));
    });
  };
  arm();
  return { cancel: () => timer.cancel() };
}

/** Calls `end` when the job's first deadline passes. Undefined for a job without one. */
export function armDeadline(job: JobRecord, world: World, end: (outcome: Outcome) => void): Timer | undefined {
  const deadline = firstDeadline(job);
  if (deadline === undefined) return undefined;
  return world.timers.after(deadline.at - world.clock.now(), () => end(deadline.outcome));
}
