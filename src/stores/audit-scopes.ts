/** In whose view an audited decision lies. */
import { type AuditRow, NOBODY_SCOPE } from "../kernel/audit/audit-row.ts";
import { everyoneOf, tenantOf } from "../kernel/principal.ts";

/** Its principal, its owner, and everyone of their tenants; `NOBODY_SCOPE` when it names neither. */
export function auditScopesOf({ principal, owner }: Pick<AuditRow, "principal" | "owner">): ReadonlySet<string> {
  const scopes = new Set<string>();
  for (const key of [principal, owner]) if (key !== null) scopes.add(key).add(everyoneOf(tenantOf(key)));
  return scopes.size === 0 ? scopes.add(NOBODY_SCOPE) : scopes;
}
