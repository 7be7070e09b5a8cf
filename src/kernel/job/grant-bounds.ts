/** What bounds a grant, whoever decides: the lease's end, the lease of the job above, and what the policy is told of it. */
import { CodedError } from "../../protocol/errors.ts";
import { createGuard } from "../authority/guard.ts";
import { leaseOf } from "../authority/lease.ts";
import type { PermissionRow, Triple } from "../authority/permission.ts";
import type { PolicyQuestion } from "../authority/policy-gate.ts";
import { formatTime } from "../log/entry.ts";
import type { Principal } from "../principal.ts";
import type { ActiveJob } from "./active-job.ts";
import { agentReference, type JobRecord } from "./job-record.ts";

/** What is told of a resource in errors and to the audit, in UTF-16 units. */
const MAX_RESOURCE_TOLD = 512;
/** Of a guard that is asked about its patterns only. */
const NO_CLOCK = { now: () => 0 };

/**
 * A child's grants lie within its parent's lease; what was granted to the parent is not handed on.
 * @throws CodedError PERMISSION_DENIED.
 */
export function assertWithinParent({ parent }: ActiveJob, { permission, resource, operation }: Triple): void {
  if (parent === undefined) return;
  const guard = createGuard({ lease: leaseOf(parent.record), expiresAt: null, clock: NO_CLOCK });
  try {
    void guard.check({ namespace: permission, target: resource });
  } catch (cause) {
    const told = resource.slice(0, MAX_RESOURCE_TOLD).toWellFormed();
    throw new CodedError(
      "PERMISSION_DENIED",
      `${permission} on ${told} is outside the lease of the job above this one, and nobody can grant it here`,
      { details: { capability: permission, target: told, operation, parent_job_id: parent.record.id }, cause },
    );
  }
}

/**
 * When a grant ends that is given now, in milliseconds since the epoch: with the lease at the latest.
 * @throws CodedError LEASE_EXPIRED when the lease it would stand beside is over.
 */
export function grantEnd({ expiresAt }: Pick<JobRecord, "expiresAt">, now: number, seconds: number): number {
  const end = now + seconds * 1_000;
  if (expiresAt === null) return end;
  if (now < expiresAt) return Math.min(end, expiresAt);
  throw new CodedError("LEASE_EXPIRED", "the job's lease has expired: nothing can be granted beside it");
}

/** The grant as the policy is asked about it. */
export function policyQuestion(
  record: JobRecord,
  { permission, resource, operation }: Triple,
  principal: Principal,
  expiresAt: number,
): PolicyQuestion {
  return {
    kind: "permission",
    principal,
    agent: agentReference(record),
    lease: { grants: {}, expiresAt, expiresAtText: formatTime(expiresAt), budget: null },
    permission: { permission, resource, operation },
    job: record.id,
    owner: record.principal,
  };
}

/** What the audit tells of a permission. */
export function auditedPermission(row: PermissionRow): Readonly<Record<string, unknown>> {
  const { id, permission, resource, operation, agent } = row;
  const told = resource.slice(0, MAX_RESOURCE_TOLD).toWellFormed();
  return { permission_id: id, permission, resource: told, operation, agent };
}
