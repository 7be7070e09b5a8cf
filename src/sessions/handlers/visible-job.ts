/** Finding a job as one principal sees it: a hidden job and an unknown one give the same answer. */
import type { AuditedDecision } from "../../kernel/audit/audit-trail.ts";
import type { JobRecord } from "../../kernel/job/job-record.ts";
import { principalKey } from "../../kernel/principal.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { HandlerContext } from "./handler.ts";

/**
 * @param action what is asked for: that it was refused is audited under this name.
 * @throws CodedError JOB_NOT_FOUND
 */
export async function findVisibleJob(
  context: HandlerContext,
  id: string,
  action: AuditedDecision["action"],
): Promise<JobRecord> {
  const { kernel, principal, visibility } = context;
  const job = await kernel.readJob(id);
  if (job !== undefined && visibility.mayObserve(principal, job)) return job;
  const code = "JOB_NOT_FOUND";
  kernel.audit({
    principal: principalKey(principal),
    action,
    job: id,
    owner: job?.principal ?? null,
    allowed: false,
    details: { code },
  });
  throw new CodedError(code, `there is no job ${id} that you may see`);
}

/** Writes down what was decided about a job that the caller may see. */
export function auditDecision(
  { kernel, principal }: HandlerContext,
  action: AuditedDecision["action"],
  job: JobRecord,
  allowed: boolean,
  details: Readonly<Record<string, unknown>> = {},
): void {
  kernel.audit({
    principal: principalKey(principal),
    action,
    job: job.id,
    owner: job.principal,
    allowed,
    details,
  });
}
