/** How a permission looks in the API: what is asked for, with which arguments, and what became of it. */
import Type, { type Static } from "typebox";
import { PERMISSION_STATES, type PermissionRow } from "../kernel/authority/permission.ts";
import { formatTime } from "../kernel/log/entry.ts";
import { Time } from "./schemas.ts";

export const Permission = Type.Object({
  permission_id: Type.String(),
  job_id: Type.String(),
  agent: Type.String({ description: "name@version" }),
  principal: Type.String({ description: "whose job it is: tenant/id" }),
  state: Type.Enum(PERMISSION_STATES),
  permission: Type.String({ description: "the namespace, such as tool.call" }),
  resource: Type.String({ description: "what is touched, in canonical form: exactly this one" }),
  operation: Type.String({ description: "what is done with it, such as call" }),
  args: Type.Optional(Type.Unknown({ description: "a grant is good for exactly these arguments" })),
  reason: Type.Optional(Type.String({ description: "why, in the agent's words" })),
  requested_lease_seconds: Type.Optional(Type.Number({ description: "for how long it asks" })),
  requested_at: Time,
  expires_at: Type.String({ description: "when the request lapses; once granted, when the grant ends" }),
  lease_id: Type.Optional(Type.String({ description: "names the grant" })),
  decided_at: Type.Optional(Time),
  decided_by: Type.Optional(Type.String({ description: "tenant/id; absent for a policy" })),
  decision_reason: Type.Optional(Type.String()),
});
export type Permission = Static<typeof Permission>;

export function permissionView(row: PermissionRow): Permission {
  return {
    permission_id: row.id,
    job_id: row.job,
    agent: row.agent,
    principal: row.principal,
    state: row.state,
    permission: row.permission,
    resource: row.resource,
    operation: row.operation,
    ...(row.args === null ? {} : { args: JSON.parse(row.args) as unknown }),
    ...(row.reason === null ? {} : { reason: row.reason }),
    ...(row.leaseSeconds === null ? {} : { requested_lease_seconds: row.leaseSeconds }),
    requested_at: formatTime(row.requestedAt),
    expires_at: formatTime(row.expiresAt),
    ...(row.leaseId === null ? {} : { lease_id: row.leaseId }),
    ...(row.decidedAt === null ? {} : { decided_at: formatTime(row.decidedAt) }),
    ...(row.decidedBy === null ? {} : { decided_by: row.decidedBy }),
    ...(row.decisionReason === null ? {} : { decision_reason: row.decisionReason }),
  };
}
