/** The memory store's audit: kept and listed as SQLite does it. */
import { AUDIT_REMOVED_AT_ONCE, type AuditPage, type AuditQuery } from "../../kernel/audit/audit-row.ts";
import type { Rows } from "../../kernel/ports.ts";
import { auditScopesOf } from "../audit-scopes.ts";
import { frozenCopy, type Tables } from "./tables.ts";
import type { Undo } from "./undo.ts";

export function listAudit(tables: Tables, query: AuditQuery): AuditPage {
  const { scopes, principal, action, job, before = Number.POSITIVE_INFINITY, limit } = query;
  const found = [...tables.audit.values()]
    .filter(
      (entry) =>
        entry.seq < before &&
        (job === undefined || entry.job === job) &&
        (principal === undefined || entry.principal === principal) &&
        (action === undefined || entry.action === action) &&
        [...auditScopesOf(entry)].some((scope) => scopes.includes(scope)),
    )
    .reverse();
  const entries = found.slice(0, Math.max(0, limit));
  return { entries, next: found.length > entries.length ? (entries.at(-1)?.seq ?? before) : undefined };
}

export function writeAudit(tables: Tables, rows: Partial<Rows>, undo: Undo): void {
  let last = [...tables.audit.keys()].at(-1) ?? 0;
  for (const row of rows.audit ?? []) undo.put(tables.audit, ++last, frozenCopy({ seq: last, ...row }));
  for (const cutoff of rows.auditCutoffs ?? []) {
    const old = [...tables.audit.values()].filter(({ at }) => at < cutoff).slice(0, AUDIT_REMOVED_AT_ONCE);
    for (const { seq } of old) undo.remove(tables.audit, seq);
  }
}
