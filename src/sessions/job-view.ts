/** How jobs look on the wire: their bounds, their status, their listing. Never a secret, and for every observer the same. */
import { budgetAsNumbers, leaseOf } from "../kernel/authority/lease.ts";
import { agentReference, type JobRecord, shownStatus } from "../kernel/job/job-record.ts";
import { formatTime } from "../kernel/log/entry.ts";
import type { PrincipalKey } from "../kernel/principal.ts";
import type { PayloadOf } from "../protocol/registry.ts";

/** The job's bounds as `job.accepted`, `job.subscribed` and listings show them. */
export function boundsOf(job: JobRecord) {
  const lease = leaseOf(job);
  return {
    lease: mutable(lease?.grants ?? {}),
    ...(lease === null || lease.expiresAtText === null
      ? {}
      : { lease_constraints: { expires_at: lease.expiresAtText } }),
    ...(lease === null || lease.budget === null ? {} : { budget: budgetAsNumbers(lease.budget) }),
  };
}

/** The answer to a submission; the same for a repeated one but for `request_id` (§7.2). */
export function acceptedPayload(job: JobRecord, requestId: string): PayloadOf<"job.accepted"> {
  return {
    job_id: job.id,
    agent: agentReference(job),
    ...boundsOf(job),
    accepted_at: formatTime(job.createdAt),
    trace_id: job.traceId,
    request_id: requestId,
    ...(job.parent === null ? {} : { parent_job_id: job.parent }),
  };
}

/** @param viewer whose jobs need not say whose they are. */
export function listingOf(
  job: JobRecord,
  head: number,
  viewer: PrincipalKey,
): PayloadOf<"session.jobs">["jobs"][number] {
  return {
    job_id: job.id,
    agent: agentReference(job),
    status: shownStatus(job.status),
    ...boundsOf(job),
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
