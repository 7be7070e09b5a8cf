/** Finding a permission to decide it, as every face does: who may watch a job and not decide for it is told so, and nobody else of it. */
import type { AuditAction } from "../kernel/audit/audit-row.ts";
import type { PermissionRow } from "../kernel/authority/permission.ts";
import type { PermissionId } from "../kernel/ids.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type Principal, principalKey } from "../kernel/principal.ts";
import { CodedError } from "../protocol/errors.ts";
import type { Visibility } from "./visibility.ts";

export type Deciding = Extract<AuditAction, `permission.${"grant" | "deny" | "extend" | "revoke"}`>;

interface DecisionRequest {
  readonly kernel: Pick<Kernel, "readPermission" | "audit">;
  readonly visibility: Visibility;
  readonly principal: Principal;
  readonly id: PermissionId;
  /** The id as the caller gave it, which may be that of the grant: they and the audit are answered in its words. Default: `id`. */
  readonly asked?: string;
  readonly action: Deciding;
  /** Goes into the audit of a refusal: by which face it was asked. */
  readonly via?: string;
}

export function permissionNotFound(asked: string): CodedError {
  return new CodedError("JOB_NOT_FOUND", `there is no permission ${asked} that you may see`);
}

/**
 * The permission, for one who may decide it. What is refused here is audited here; the rest, by the kernel.
 * @throws CodedError JOB_NOT_FOUND for an unknown one, and for one of a job that the principal may not see;
 * PERMISSION_DENIED for one of a job that it may only watch.
 */
export async function findDecidable(request: DecisionRequest): Promise<PermissionRow> {
  const { kernel, visibility, principal, id, asked = id, action, via } = request;
  const row = await kernel.readPermission(id);
  if (row !== undefined && visibility.mayControl(principal, row)) return row;
  const mayWatch = row !== undefined && visibility.mayObserve(principal, row);
  const code = mayWatch ? "PERMISSION_DENIED" : "JOB_NOT_FOUND";
  kernel.audit({
    principal: principalKey(principal),
    action,
    // Who may not see the job must not learn its id from the audit either.
    job: mayWatch ? row.job : null,
    owner: row?.principal ?? null,
    allowed: false,
    details: { ...(via === undefined ? {} : { via }), code, permission_id: asked },
  });
  if (!mayWatch) throw permissionNotFound(asked);
  throw new CodedError(
    code,
    `permission ${asked} is of another principal's job: you may watch it, and not decide for it`,
  );
}
