/** Decisions, and in whose view each lies: one entry of an index for each scope that may read it. */
import {
  AUDIT_REMOVED_AT_ONCE,
  type AuditEntry,
  type AuditPage,
  type AuditQuery,
  type AuditRow,
  LOOKED_AT,
} from "../../kernel/audit/audit-row.ts";
import { auditScopesOf } from "../audit-scopes.ts";
import { type Database, rowLimit } from "./database.ts";

type AuditColumns = Omit<AuditEntry, "allowed"> & { readonly allowed: number };

export function createAudit(database: Database) {
  const insert = database.prepare(
    "INSERT INTO audit (at, principal, action, job, owner, allowed, details) VALUES (?, ?, ?, ?, ?, ?, ?)",
  );
  const selectLast = database.prepare<{ last: number }>("SELECT coalesce(max(seq), 0) AS last FROM audit");
  const insertScope = database.prepare("INSERT INTO audit_scopes (scope, seq) VALUES (?, ?)");

  const inScope = "SELECT seq FROM audit_scopes WHERE scope = ?1";
  const ofJob = "SELECT seq FROM audit WHERE job = ?1";
  const floor = (rows: string) =>
    database.prepare<{ seq: number }>(`${rows} AND seq < ?2 ORDER BY seq DESC LIMIT 1 OFFSET ${LOOKED_AT - 1}`);
  const select = (rows: string) =>
    database.prepare<AuditColumns>(
      `SELECT row.seq, row.at, row.principal, row.action, row.job, row.owner, row.allowed, row.details
      FROM (${rows} AND seq < ?2 AND seq >= ?3 ORDER BY seq DESC) AS place JOIN audit AS row ON row.seq = place.seq
      WHERE (?4 IS NULL OR row.principal = ?4) AND (?5 IS NULL OR row.action = ?5)
        AND EXISTS (SELECT 1 FROM audit_scopes AS seen, json_each(?6) AS scope
          WHERE seen.scope = scope.value AND seen.seq = row.seq)
      ORDER BY place.seq DESC LIMIT ?7`,
    );
  const floors = { scope: floor(inScope), job: floor(ofJob) };
  const selects = { scope: select(inScope), job: select(ofJob) };

  const selectOld = database.prepare<{ seq: number }>(
    `SELECT seq FROM audit WHERE at < ? ORDER BY seq LIMIT ${AUDIT_REMOVED_AT_ONCE}`,
  );
  const removeRow = database.prepare("DELETE FROM audit WHERE seq = ?");
  const removeScopes = database.prepare("DELETE FROM audit_scopes WHERE scope = ? AND seq = ?");
  const selectRow = database.prepare<Pick<AuditRow, "principal" | "owner">>(
    "SELECT principal, owner FROM audit WHERE seq = ?",
  );

  return {
    insert(row: AuditRow): void {
      const { at, principal, action, job, owner, allowed, details } = row;
      insert.run(at, principal, action, job, owner, allowed ? 1 : 0, details);
      const seq = selectLast.get()?.last ?? 0;
      for (const scope of auditScopesOf(row)) insertScope.run(scope, seq);
    },
    /** Removes the oldest of those decided before `cutoff`, a thousand at most. */
    removeBefore(cutoff: number): void {
      for (const { seq } of selectOld.all(cutoff)) {
        const row = selectRow.get(seq);
        if (row !== undefined) for (const scope of auditScopesOf(row)) removeScopes.run(scope, seq);
        removeRow.run(seq);
      }
    },
    list({ scopes, principal, action, job, before = Number.MAX_SAFE_INTEGER, limit }: AuditQuery): AuditPage {
      if (scopes.length === 0) return { entries: [], next: undefined };
      const kind = job === undefined ? "scope" : "job";
      const sources = job === undefined ? [...new Set(scopes)] : [job];
      // As deep as the shallowest look: what lies below it was not looked at in every source.
      const lowest = Math.max(...sources.map((source) => floors[kind].get(source, before)?.seq ?? 0));
      const found = new Map<number, AuditEntry>();
      const [by, what, seen] = [principal ?? null, action ?? null, JSON.stringify(scopes)];
      for (const source of sources) {
        const rows = selects[kind].all(source, before, lowest, by, what, seen, rowLimit(limit) + 1);
        for (const row of rows) found.set(row.seq, { ...row, allowed: row.allowed === 1 });
      }
      const entries = [...found.values()].sort((a, b) => b.seq - a.seq);
      const shown = entries.slice(0, Math.max(0, limit));
      const last = shown.at(-1)?.seq ?? before;
      return { entries: shown, next: entries.length > shown.length ? last : lowest > 1 ? lowest : undefined };
    },
  };
}
