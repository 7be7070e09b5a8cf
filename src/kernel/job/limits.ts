/** How much of a runtime jobs may take: each limit by its name, its default, and what happens beyond it. */

export interface JobLimits {
  /** Jobs running at a time. Further ones are accepted and wait as `pending`. Default: 10,000. */
  readonly maxRunningJobs: number;
  /** The same for one principal. Default: 1,000. Each agent may have a limit of its own (`maxConcurrent`). */
  readonly maxRunningJobsPerPrincipal: number;
  /** Jobs waiting to run. Further submissions are refused with a retryable error. Default: 10,000. */
  readonly maxPendingJobs: number;
  /** The same for one principal. Default: 1,000. */
  readonly maxPendingJobsPerPrincipal: number;
  /** A job's log and recorded steps, in bytes. The job whose next entry does not fit ends. Default: 1 GiB. */
  readonly maxLogBytes: number;
  /** How many jobs may stand above a delegated one. A further delegation is refused. Default: 8. */
  readonly maxDelegationDepth: number;
  /** Children of one job that are under way at a time. A further delegation is refused. Default: 64. */
  readonly maxLiveChildren: number;
  /** Jobs of one tree that are under way at a time, its root among them. A further delegation is refused. Default: 1,000. */
  readonly maxTreeJobs: number;
  /** How long a job waits for its version of its agent after a restart, in seconds; then it ends. Default: 600. */
  readonly maxAgentWaitSec: number;
}

const DEFAULT_JOB_LIMITS: JobLimits = {
  maxRunningJobs: 10_000,
  maxRunningJobsPerPrincipal: 1_000,
  maxPendingJobs: 10_000,
  maxPendingJobsPerPrincipal: 1_000,
  maxLogBytes: 1_073_741_824,
  maxDelegationDepth: 8,
  maxLiveChildren: 64,
  maxTreeJobs: 1_000,
  maxAgentWaitSec: 600,
};

/** Least values: a runtime that may run nothing is a mistake, one whose queue holds nothing is not. */
const LEAST: JobLimits = {
  maxRunningJobs: 1,
  maxRunningJobsPerPrincipal: 1,
  maxPendingJobs: 0,
  maxPendingJobsPerPrincipal: 0,
  maxLogBytes: 65_536,
  maxDelegationDepth: 0,
  maxLiveChildren: 0,
  maxTreeJobs: 1,
  maxAgentWaitSec: 0,
};

/**
 * The limits with the defaults filled in. `Infinity` lifts a limit.
 * @throws RangeError that names the limit and what it may be.
 */
export function completeJobLimits(given: Partial<JobLimits> = {}): JobLimits {
  const limits = { ...DEFAULT_JOB_LIMITS };
  for (const name of Object.keys(LEAST) as (keyof JobLimits)[]) {
    const value = given[name];
    if (value === undefined) continue;
    if (typeof value !== "number" || !(value >= LEAST[name]) || !(Number.isInteger(value) || value === Infinity)) {
      throw new RangeError(
        `limits.${name} is ${String(value)}: it must be a whole number from ${LEAST[name]} on, or Infinity`,
      );
    }
    limits[name] = value;
  }
  return limits;
}
