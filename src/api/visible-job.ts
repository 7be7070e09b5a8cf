/** Finding a job as one principal sees it: a foreign job and an unknown one give the same answer. */
import type { AuditedDecision } from "../kernel/audit/audit-trail.ts";
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
  const job = await options.kernel.readJob(id);
  if (!lookAt(options, principal, job, { job: id })) throw jobNotFound(id);
  return job;
}

/**
 * Whether the principal may see the job. Looking at another's, or at none, is audited.
 * @param asked what was asked for, in the words of whoever asked: the audit is for them to read, too.
 */
export function lookAt(
  { kernel, visibility }: ApiOptions,
  principal: Principal,
  job: JobRecord | undefined,
  asked: Pick<AuditedDecision, "job" | "details">,
): job is JobRecord {
  const allowed = job !== undefined && visibility.mayObserve(principal, job);
  const key = principalKey(principal);
  if (job?.principal !== key) {
    kernel.audit({ ...asked, principal: key, action: "job.read", owner: job?.principal ?? null, allowed });
  }
  return allowed;
}
