/** What jobs have asked for at run time, and what was decided. Listed newest first; what is open has an index of its own. */

import {
  isOpen,
  PERMISSIONS_LOOKED_AT,
  type PermissionPage,
  type PermissionQuery,
  type PermissionRow,
} from "../../kernel/authority/permission.ts";
import type { JobId, PermissionId } from "../../kernel/ids.ts";
import { type Database, rowLimit } from "./database.ts";
import type { Keys } from "./keys.ts";

const COLUMNS = `row.key AS place, row.id, job.id AS job, job.principal, job.agent || '@' || job.version AS agent,
  row.name AS key, row.digest, row.args_digest AS argsDigest, row.args, row.permission, row.resource, row.operation,
  row.reason, row.lease_seconds AS leaseSeconds, row.attempt, row.state, row.requested_at AS requestedAt,
  row.expires_at AS expiresAt, row.lease_id AS leaseId, row.decided_at AS decidedAt, row.decided_by AS decidedBy,
  row.decision_reason AS decisionReason`;
/** A condition that the index `permissions_open` serves only when it is spelled as there. */
const OPEN = "(row.state = 'pending' OR row.state = 'granted')";
const FROM = "FROM permissions AS row JOIN jobs AS job ON job.key = row.job";

type Placed = PermissionRow & { readonly place: number };

export function createPermissions(database: Database, keys: Keys) {
  const write = database.prepare(
    `INSERT INTO permissions (id, job, name, digest, args_digest, args, permission, resource, operation, reason,
      lease_seconds, attempt, state, requested_at, expires_at, lease_id, decided_at, decided_by, decision_reason)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, expires_at = excluded.expires_at, lease_id = excluded.lease_id,
      decided_at = excluded.decided_at, decided_by = excluded.decided_by, decision_reason = excluded.decision_reason`,
  );
  const selectOne = database.prepare<Placed>(`SELECT ${COLUMNS} ${FROM} WHERE row.id = ?`);
  const selectOf = database.prepare<Placed>(`SELECT ${COLUMNS} ${FROM} WHERE row.job = ? ORDER BY row.key`);
  const sources = { all: "row.key > 0", open: OPEN, job: "row.job = ?6" };
  const select = (where: string, index = "") =>
    database.prepare<Placed>(
      `SELECT ${COLUMNS} ${FROM.replace("AS row", `AS row ${index}`)} WHERE ${where} AND row.key < ?1 AND row.key >= ?2
        AND (job.principal IN (SELECT value FROM json_each(?3))
          OR substr(job.principal, 1, instr(job.principal, '/')) || '*' IN (SELECT value FROM json_each(?3)))
        AND (?4 IS NULL OR row.state IN (SELECT value FROM json_each(?4)))
        AND (?6 IS NULL OR job.id = ?7)
      ORDER BY row.key DESC LIMIT ?5`,
    );
  const floor = (where: string, index = "") =>
    database.prepare<{ key: number }>(
      `SELECT row.key FROM permissions AS row ${index} WHERE ${where.replace("?6", "?2")} AND row.key < ?1
      ORDER BY row.key DESC LIMIT 1 OFFSET ${PERMISSIONS_LOOKED_AT - 1}`,
    );
  const selects = {
    all: select(sources.all),
    open: select(sources.open, "INDEXED BY permissions_open"),
    job: select(sources.job),
  };
  const floors = {
    all: floor(sources.all),
    open: floor(sources.open, "INDEXED BY permissions_open"),
    job: floor(sources.job),
  };

  return {
    write(row: PermissionRow): void {
      const { id, job, key, digest, argsDigest, args, permission, resource, operation, reason, leaseSeconds } = row;
      const { attempt, state, requestedAt, expiresAt, leaseId, decidedAt, decidedBy, decisionReason } = row;
      const asked = [id, keys.jobKey(job), key, digest, argsDigest, args, permission, resource, operation, reason];
      const decided = [leaseId, decidedAt, decidedBy, decisionReason];
      write.run(...asked, leaseSeconds, attempt, state, requestedAt, expiresAt, ...decided);
    },
    read(id: PermissionId): PermissionRow | undefined {
      const row = selectOne.get(id);
      return row === undefined ? undefined : toRow(row);
    },
    readOf(job: JobId): readonly PermissionRow[] {
      const found = keys.findJob(job);
      return found === undefined ? [] : selectOf.all(found.key).map(toRow);
    },
    list({ principals, states, job, before = Number.MAX_SAFE_INTEGER, limit }: PermissionQuery): PermissionPage {
      const key = job === undefined ? undefined : keys.findJob(job)?.key;
      if (principals.length === 0 || (job !== undefined && key === undefined)) return NOTHING;
      const isAboutOpen = states?.every((state) => isOpen({ state })) ?? false;
      const source = key !== undefined ? "job" : isAboutOpen ? "open" : "all";
      const lowest = floors[source].get(...(key === undefined ? [before] : [before, key]))?.key;
      const [whose, which] = [JSON.stringify(principals), states === undefined ? null : JSON.stringify(states)];
      const rows = selects[source].all(before, lowest ?? 0, whose, which, rowLimit(limit), key ?? null, job ?? null);
      const isFull = rows.length >= limit;
      const next = isFull ? (rows.at(-1)?.place ?? before) : lowest;
      return { permissions: rows.map(toRow), next };
    },
  };
}

const NOTHING: PermissionPage = { permissions: [], next: undefined };

function toRow({ place, ...row }: Placed): PermissionRow {
  return row;
}
