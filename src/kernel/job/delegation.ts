/** Delegation (§10): what a child's row, its place under its parent and its end look like. Nothing here waits. */
import { CodedError } from "../../protocol/errors.ts";
import type { ActiveJob } from "./active-job.ts";
import { endsByExpiry } from "./deadlines.ts";
import type { JobRecord } from "./job-record.ts";
import type { Outcome } from "./job-state.ts";
import { ancestorsOf } from "./job-tree.ts";
import type { JobLimits } from "./limits.ts";

export type DelegationLimits = Pick<JobLimits, "maxDelegationDepth" | "maxLiveChildren" | "maxTreeJobs">;

/**
 * How a job ends because the one above it does: its lease ends with its parent's, so an expiry is its own; by any other
 * end of its parent it is cancelled.
 */
export function outcomeBelow(parent: Pick<JobRecord, "id" | "expiresAt">, outcome: Outcome, now: number): Outcome {
  if (endsByExpiry(parent, outcome, now)) return outcome;
  const error = new CodedError("CANCELLED", `the job above this one, ${parent.id}, has ended (${outcome.status})`, {
    details: { parent_job_id: parent.id, parent_status: outcome.status },
  });
  return { status: "cancelled", error: error.toBody() };
}

/** Gives a child's parent back what it was promised and has not spent. To be called in the turn that ends the child. */
export function settleHold({ parent, hold, purse }: ActiveJob): void {
  if (parent === undefined || hold === undefined) return;
  if (purse !== undefined) parent.purse?.settle(purse);
  parent.addHold({ ...hold, state: "settled" });
}

/** @throws CodedError INTERNAL_ERROR naming the limit that leaves no room for one more child of `parent`. */
export function assertRoomBelow(parent: ActiveJob, limits: DelegationLimits): void {
  const { maxDelegationDepth, maxLiveChildren, maxTreeJobs } = limits;
  const depth = [...ancestorsOf(parent)].length + 1;
  if (depth > maxDelegationDepth) {
    throw beyond("maxDelegationDepth", maxDelegationDepth, `${depth} jobs would stand above this one`);
  }
  const children = parent.liveChildren;
  if (children >= maxLiveChildren) {
    throw beyond("maxLiveChildren", maxLiveChildren, `${children} children of this job are under way`);
  }
  const jobs = parent.liveJobsOfTree;
  if (jobs >= maxTreeJobs) throw beyond("maxTreeJobs", maxTreeJobs, `${jobs} jobs of this tree are under way`);
}

function beyond(limit: keyof DelegationLimits, count: number, what: string): CodedError {
  return new CodedError("INTERNAL_ERROR", `the delegation is refused: ${what} (${limit}: ${count})`, {
    details: { limit, count },
  });
}
