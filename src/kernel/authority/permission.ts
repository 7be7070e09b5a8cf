/**
 * Permissions: authority asked for at run time and decided by a person or a policy. A request that is granted becomes a
 * grant, a short lease of one thing beside the job's own: a job's authority is its lease and its live grants.
 *
 * | state | what it is |
 * |---|---|
 * | `pending` | somebody has to decide; `expiresAt` is when the request lapses |
 * | `granted` | the grant is live until `expiresAt` |
 * | `denied` | a person or the policy said no |
 * | `revoked` | the grant was taken back before its time |
 * | `expired` | nobody decided in time, or the grant's time is over, or its job has ended |
 * | `withdrawn` | the job ended before anybody decided |
 *
 * `pending` becomes `granted`, `denied`, `expired` or `withdrawn`; `granted` becomes `revoked` or `expired`. The others are final.
 */
import type { JobId, PermissionId } from "../ids.ts";
import type { PrincipalKey, PrincipalPattern } from "../principal.ts";

export const PERMISSION_STATES = ["pending", "granted", "denied", "expired", "withdrawn", "revoked"] as const;
export type PermissionState = (typeof PERMISSION_STATES)[number];

/** How long a grant lasts when neither the agent nor whoever decides says otherwise, in seconds. */
export const DEFAULT_GRANT_SECONDS = 300;
/** A grant ends at most this long after it was given, or extended. More is refused with INVALID_REQUEST. */
export const MAX_GRANT_SECONDS = 86_400;
/** How long a request waits for a decision unless the agent says otherwise, in seconds. */
export const DEFAULT_WAIT_SECONDS = 86_400;
/** The longest that an agent may say. */
export const MAX_WAIT_SECONDS = 604_800;
/** Requests of one job that may wait for a decision at a time. Further ones are refused with INVALID_REQUEST. */
export const MAX_PENDING_REQUESTS = 64;
/** Requests of one job in all, each of which leaves a row until the job's history goes. Further ones are refused. */
export const MAX_REQUESTS = 1_000;
/** Longest arguments of a request, in UTF-16 units of JSON: somebody has to read them. Longer ones are refused. */
export const MAX_ARGS_LENGTH = 16_384;
/** Longest reason, of a request or of a decision, in UTF-16 units. */
export const MAX_PERMISSION_REASON = 2_048;
/** Longest name of an operation, in UTF-16 units. */
export const MAX_OPERATION_LENGTH = 128;

/** What is asked for: exactly this, never a pattern. */
export interface Triple {
  /** A lease namespace, such as `tool.call`. */
  readonly permission: string;
  /** What is touched, in canonical form. */
  readonly resource: string;
  /** What is done with it, such as `call`, `GET` or `write`. */
  readonly operation: string;
}

/** A request and what became of it. */
export interface PermissionRow extends Triple {
  readonly id: PermissionId;
  readonly job: JobId;
  /** Whose job it is. */
  readonly principal: PrincipalKey;
  /** `name@version`. */
  readonly agent: string;
  /** By which a later attempt finds it again; unique among those of the job that still count. */
  readonly key: string;
  /** Of what was asked for, to tell a repeat from a conflict. */
  readonly digest: string;
  /** Digest of the exact arguments; the grant is good for these and no others. Null: for any. */
  readonly argsDigest: string | null;
  /** JSON text of the arguments, as far as the agent told them; null for none. */
  readonly args: string | null;
  /** Why, in the agent's words. */
  readonly reason: string | null;
  /** For how long it asks, in seconds; null for the default. */
  readonly leaseSeconds: number | null;
  /** The attempt that asked. */
  readonly attempt: number;
  readonly state: PermissionState;
  /** In milliseconds since the epoch, as the times below. */
  readonly requestedAt: number;
  /** When the request lapses, or, once granted, the grant ends or ended. */
  readonly expiresAt: number;
  /** Names the grant; null unless it was granted. */
  readonly leaseId: string | null;
  /** When it was granted, denied, or revoked, the last of these; null before. */
  readonly decidedAt: number | null;
  /** Who did; null for a policy, and before. */
  readonly decidedBy: PrincipalKey | null;
  readonly decisionReason: string | null;
}

export interface PermissionQuery {
  /** Whose jobs': principal keys, and `tenant/*` for everyone of a tenant. None: no rows. */
  readonly principals: readonly PrincipalPattern[];
  readonly states?: readonly PermissionState[];
  readonly job?: JobId;
  /** Newest first, beginning behind where an earlier page of the same query ended. */
  readonly before?: number;
  readonly limit: number;
}

export interface PermissionPage {
  readonly permissions: readonly PermissionRow[];
  /** Pass it as `before` to go on; undefined when nothing older is left. A page that goes on may be short, or empty. */
  readonly next: number | undefined;
}

/** Rows that a store looks at for one page, however few of them match. */
export const PERMISSIONS_LOOKED_AT = 1_000;

/** The grant of a request has its name: one leads to the other without a look. */
export function leaseIdOf(permission: PermissionId): string {
  return permission.replace(/^perm_/, "lease_");
}

/** The request behind a grant's name. What is no such name names no request either. */
export function permissionIdOf(leaseId: string): PermissionId {
  return leaseId.replace(/^lease_/, "perm_");
}

/** Whether the row still has an effect, or may get one. */
export function isOpen({ state }: Pick<PermissionRow, "state">): boolean {
  return state === "pending" || state === "granted";
}

/** What is done in each namespace where an operation does not say. */
const USUAL_OPERATIONS: Readonly<Record<string, string>> = {
  "tool.call": "call",
  "agent.delegate": "delegate",
  "fs.read": "read",
  "fs.write": "write",
  "net.fetch": "GET",
};

/** The operation meant where none is named: `use` for models and in namespaces of one's own. */
export function usualOperation(namespace: string): string {
  return (Object.hasOwn(USUAL_OPERATIONS, namespace) ? USUAL_OPERATIONS[namespace] : undefined) ?? "use";
}
