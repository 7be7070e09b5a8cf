/** How jobs look on the wire: their bounds, their status, their listing. Never a secret, and for every observer the same. */
import type { BudgetView } from "../kernel/authority/budget-view.ts";
import { budgetAsNumbers, leaseOf } from "../kernel/authority/lease.ts";
import { agentReference, type JobRecord, shownStatus } from "../kernel/job/job-record.ts";
import { formatTime } from "../kernel/log/entry.ts";
import type { PrincipalKey } from "../kernel/principal.ts";
import type { PayloadOf } from "../protocol/registry.ts";

/**
 * The job's bounds as `job.accepted`, `job.subscribed` and listings show them.
 * @param budget what remains of it; absent for what it began with.
 */
export function boundsOf(job: JobRecord, budget?: BudgetView) {
  const lease = leaseOf(job);
  return {
    lease: mutable(lease?.grants ?? {}),
    ...(lease === null || lease.expiresAtText === null
      ? {}
      : { lease_constraints: { expires_at: lease.expiresAtText } }),
    ...(lease === null || lease.budget === null
      ? {}
      : { budget: budgetAsNumbers(budget === undefined ? lease.budget : remainingOf(budget)) }),
  };
}

/**
 * The answer to a submission; the same for a repeated one but for `request_id` (§7.2). Its budget is what the job began with.
 * @param requestId absent for a job that was delegated (§10), which no request asked for.
 */
export function acceptedPayload(job: JobRecord, requestId?: string): PayloadOf<"job.accepted"> {
  return {
    job_id: job.id,
    agent: agentReference(job),
    ...boundsOf(job),
    accepted_at: formatTime(job.createdAt),
    trace_id: job.traceId,
    ...(requestId === undefined ? {} : { request_id: requestId }),
    ...placeInTree(job),
  };
}

/** Where a child stands (§10); nothing for a root. */
export function placeInTree({ parent, delegateId }: Pick<JobRecord, "parent" | "delegateId">) {
  return {
    ...(parent === null ? {} : { parent_job_id: parent }),
    ...(delegateId === null ? {} : { delegate_id: delegateId }),
  };
}

function remainingOf(budget: BudgetView): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(budget).map(([currency, { remaining }]) => [currency, remaining]));
}

/** @param viewer whose jobs need not say whose they are. */
export function listingOf(
  job: JobRecord,
  { head, budget }: { readonly head: number; readonly budget: BudgetView | undefined },
  viewer: PrincipalKey,
): PayloadOf<"session.jobs">["jobs"][number] {
  return {
    job_id: job.id,
    agent: agentReference(job),
    status: shownStatus(job.status),
    ...boundsOf(job, budget),
    ...(job.parent === null ? {} : { parent_job_id: job.parent }),
    ...(job.principal === viewer ? {} : { principal: job.principal }),
    created_at: formatTime(job.createdAt),
    trace_id: job.traceId,
    last_event_seq: head,
  };
}

function mutable(grants: Readonly<Record<string, readonly string[]>>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(grants).map(([namespace, patterns]) => [namespace, [...patterns]]));
}
