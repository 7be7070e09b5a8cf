/** What is audited, and how it is asked for. Rows are only ever added; how long they are kept is `AUDIT_KEPT_MS`. */
import type { JobId } from "../ids.ts";
import type { PrincipalKey, PrincipalPattern } from "../principal.ts";

/** Everything that is audited: `noun.verb`. */
export const AUDIT_ACTIONS = [
  "session.authenticate",
  "api.authenticate",
  "job.subscribe",
  "job.cancel",
  "job.read",
  "lease.expire",
  "permission.request",
  "permission.grant",
  "permission.deny",
  "permission.revoke",
  "permission.extend",
  "permission.expire",
  "policy.decide",
  "token.create",
  "token.revoke",
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** One decision: who asked for what, and whether it was allowed (§14). Never changed once written. */
export interface AuditRow {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Who asked; null when nobody knows, as after a failed authentication. */
  readonly principal: PrincipalKey | null;
  readonly action: AuditAction;
  /** As it was named by whoever asked: there need be no such job. */
  readonly job: JobId | null;
  /** Whom it concerns beside `principal`: the job's or the token's own principal; null for none, and for an unknown job. */
  readonly owner: PrincipalKey | null;
  readonly allowed: boolean;
  /** JSON text of an object: what else there is to say. Never a secret; at most `MAX_AUDIT_DETAILS` long. */
  readonly details: string;
}

/** UTF-16 units. Longer details are replaced by a note that says so. */
export const MAX_AUDIT_DETAILS = 2_048;

/** Old rows removed in one commit. */
export const AUDIT_REMOVED_AT_ONCE = 1_000;

/** Rows that a store looks at for one page, in each scope, however few of them match. */
export const LOOKED_AT = 1_000;

/** An audited decision as read back. */
export interface AuditEntry extends AuditRow {
  /** Rises with every row, from 1: the place a page ends at. */
  readonly seq: number;
}

/** Stands for rows that name nobody, in `AuditQuery.scopes`. */
export const NOBODY_SCOPE = "*";

export interface AuditQuery {
  /** Rows whose principal or owner is among these: principal keys, `tenant/*`, and `NOBODY_SCOPE`. None: no rows. */
  readonly scopes: readonly (PrincipalPattern | typeof NOBODY_SCOPE)[];
  readonly principal?: PrincipalKey;
  readonly action?: AuditAction;
  readonly job?: JobId;
  /** Newest first, beginning with the row before this `seq`. */
  readonly before?: number;
  readonly limit: number;
}

export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  /** Pass it as `before` to go on; undefined when nothing older is left. A page that goes on may be short, or empty. */
  readonly next: number | undefined;
}
