/** What jobs ask people for at run time, as a caller decides it: what is asked, and what becomes of each answer. */
import type { PayloadOf } from "../protocol/registry.ts";
import { handledIterator } from "./handed-out.ts";
import type { Waiting } from "./job.ts";
import { type PermissionInbox, type PermissionRequest, readRequest } from "./permission-inbox.ts";
import type { RequestSender } from "./request-sender.ts";

export type PermissionState = PayloadOf<"session.permissions">["permissions"][number]["state"];

/** One request of a listing, decided or not. `expiresAt` is the grant's once it is granted. */
export interface PermissionListing extends PermissionRequest {
  readonly state: PermissionState;
  /** `name@version`. */
  readonly agent: string | undefined;
  /** The arguments it was asked for with: a grant is good for these and no others. */
  readonly args: unknown;
  readonly requestedAt: string;
  /** Names the grant, to extend and to revoke it by. */
  readonly leaseId: string | undefined;
  readonly decidedAt: string | undefined;
  /** Who decided, as `tenant/id`. */
  readonly decidedBy: string | undefined;
  readonly decisionReason: string | undefined;
  /** Whose job it is, as `tenant/id`; undefined for the session's own principal. */
  readonly principal: string | undefined;
}

/** What was granted: a lease of its own, of this one thing, until `expiresAt`. */
export interface Grant {
  readonly leaseId: string;
  readonly permission: string;
  readonly resource: string;
  readonly operation: string;
  readonly expiresAt: string;
}

export interface PermissionFilter {
  readonly state?: PermissionState | readonly PermissionState[] | undefined;
  readonly jobId?: string | undefined;
  /** At most this many, the newest. Default 100, and 1,000 at most. */
  readonly limit?: number | undefined;
}

export interface PermissionList {
  /** Newest first. */
  readonly permissions: readonly PermissionListing[];
  /** There are older ones, which `GET /api/permissions` gives page by page. */
  readonly more: boolean;
}

export interface DecisionOptions extends Waiting {
  /** Why; kept with the decision, and told to the agent. */
  readonly reason?: string | undefined;
}

export interface GrantOptions extends DecisionOptions {
  /** How long the grant lasts; never longer than the job's lease. Default: what was asked for, or else the runtime's. */
  readonly leaseSeconds?: number | undefined;
}

/**
 * Permissions that jobs ask for (`ctx.requestPermission`), which the job's owner or an operator decides. Needs the feature
 * `x-leasehold.permissions`. Each call rejects with `RequestError`: `JOB_NOT_FOUND` for what the caller may not see,
 * `PERMISSION_DENIED` for what it may see and not decide, or could not do itself, `INVALID_REQUEST` for what is decided.
 */
export interface Permissions {
  /**
   * What the jobs of this session ask for, as they ask: first what waits already, then what comes, without what is decided
   * by then. Jobs of other sessions are told of by `list()`. Of more than 1,000 that wait the oldest are told by `list()`
   * alone. Rejects with `SessionError` when the session is over.
   */
  requests(options?: Waiting): AsyncIterableIterator<PermissionRequest>;
  /** What was asked for by all jobs that the caller may see, decided or not. */
  list(filter?: PermissionFilter, options?: Waiting): Promise<PermissionList>;
  grant(permissionId: string, options?: GrantOptions): Promise<Grant>;
  deny(permissionId: string, options?: DecisionOptions): Promise<void>;
  /** Takes a grant back: what the job does with it from now on is refused. */
  revoke(leaseId: string, options?: DecisionOptions): Promise<void>;
  /**
   * Has a grant last longer. It is asked once: where the connection is lost before the answer, this rejects with
   * `INTERNAL_ERROR`, and `list()` tells whether it came about.
   * @returns when it ends now.
   */
  extend(leaseId: string, additionalSeconds: number, options?: Waiting): Promise<string>;
}

export function createPermissions(sender: RequestSender, inbox: PermissionInbox): Permissions {
  return {
    requests: ({ signal } = {}) => handledIterator(inbox.requests(signal)),
    list({ state, jobId, limit } = {}, { signal } = {}) {
      const payload = { state: state === undefined ? undefined : [state].flat(), job_id: jobId, limit };
      return sender.ask("session.list_permissions", payload, readList, { signal });
    },
    grant(id, { leaseSeconds, reason, signal } = {}) {
      const triple = { permission: undefined, resource: undefined, operation: undefined };
      const payload = { permission_id: id, ...triple, lease_seconds: leaseSeconds, reason };
      return sender.ask("permission.grant", payload, readGrant, { signal });
    },
    deny(id, { reason, signal } = {}) {
      const payload = { permission_id: id, permission: undefined, reason };
      return sender.ask("permission.deny", payload, () => {}, { signal });
    },
    revoke(leaseId, { reason, signal } = {}) {
      return sender.ask("lease.revoke", { lease_id: leaseId, reason }, () => {}, { signal });
    },
    extend(leaseId, additionalSeconds, { signal } = {}) {
      const payload = { lease_id: leaseId, additional_seconds: additionalSeconds };
      return sender.ask("lease.refresh", payload, (answer) => answer.expires_at, { signal, once: true });
    },
  };
}

function readGrant(granted: PayloadOf<"lease.granted">): Grant {
  const { lease_id: leaseId, permission, resource, operation, expires_at: expiresAt } = granted;
  return { leaseId, permission, resource, operation, expiresAt };
}

function readList({ permissions, more }: PayloadOf<"session.permissions">): PermissionList {
  const listings = permissions.map((permission) => ({
    ...readRequest(permission),
    agent: permission.agent,
    state: permission.state,
    args: permission.args,
    requestedAt: permission.requested_at,
    leaseId: permission.lease_id,
    decidedAt: permission.decided_at,
    decidedBy: permission.decided_by,
    decisionReason: permission.decision_reason,
    principal: permission.principal,
  }));
  return { permissions: listings, more };
}
