/** Finding a job as one principal sees it: a foreign job and an unknown one give the same answer. */
import type { JobRecord } from "../kernel/job/job-record.ts";
import { type Principal, principalKey } from "../kernel/principal.ts";
import { CodedError } from "../protocol/errors.ts";
import type { ApiOptions } from "./api-options.ts";

export function jobNotFound(id: string): CodedError {
  return new CodedError("JOB_NOT_FOUND", `there is no job ${id} that you may see`);
}

/**
 * The job, for reading it. Looking at another's is audited, allowed or not.
 * @throws CodedError JOB_NOT_FOUND
 */
export async function findVisibleJob(options: ApiOptions, principal: Principal, id: string): Promise<JobRecord> {
  const { kernel, visibility } = options;
  const job = await kernel.readJob(id);
  const allowed = job !== undefined && visibility.mayObserve(principal, job);
  const key = principalKey(principal);
  if (job?.principal !== key) {
    kernel.audit({ principal: key, action: "job.read", job: id, owner: job?.principal ?? null, allowed });
  }
  if (!allowed) throw jobNotFound(id);
  return job;
}
