/**
 * What jobs ask people for (`x-leasehold.permissions`): listed to whoever may see the job, decided by its owner and by
 * operators, from whatever session. What jobs ask comes to sessions by `outbox/permission-requests.ts`.
 */
import { findDecidable } from "../../identity/decidable-permission.ts";
import { type PermissionRow, permissionIdOf } from "../../kernel/authority/permission.ts";
import { formatTime } from "../../kernel/log/entry.ts";
import { PAGE_LENGTH } from "../../kernel/ports.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { PayloadOf } from "../../protocol/registry.ts";
import type { Handler } from "./handler.ts";

const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 1_000;
/** Rows read in one turn: with the longest arguments, a megabyte and a half. */
const READ_AT_ONCE = 64;

type Listing = PayloadOf<"session.permissions">["permissions"][number];

export const handleListPermissions: Handler<"session.list_permissions"> = async (context, message) => {
  const { kernel, principal, visibility, session, channel, turns } = context;
  const { state: states, job_id: job, limit = DEFAULT_PAGE } = message.payload;
  const most = Math.min(limit, LARGEST_PAGE);
  const permissions: Listing[] = [];
  let before: number | undefined;
  let length = 0;
  let more = true;
  // A page may be short, or empty, and go on.
  while (more && permissions.length < most && length < PAGE_LENGTH) {
    await turns.next(session);
    if (channel.isGone) return;
    const page = await kernel.listPermissions({
      principals: visibility.observable(principal),
      ...(states === undefined ? {} : { states }),
      ...(job === undefined ? {} : { job }),
      ...(before === undefined ? {} : { before }),
      limit: Math.min(most - permissions.length, READ_AT_ONCE),
    });
    let taken = 0;
    for (const row of page.permissions) {
      if (length >= PAGE_LENGTH) break;
      const listing = listingOf(row, session.principal);
      permissions.push(listing);
      // As it is written: a control character is six.
      length += JSON.stringify(listing).length;
      taken++;
    }
    before = page.next;
    more = before !== undefined || taken < page.permissions.length;
  }
  channel.send("session.permissions", { request_id: message.id, permissions, more });
};

export const handleGrant: Handler<"permission.grant"> = async (context, message) => {
  const { permission_id: id, lease_seconds: leaseSeconds, reason, ...named } = message.payload;
  const asked = await findDecidable({ ...context, id, action: "permission.grant" });
  for (const field of ["permission", "resource", "operation"] as const) {
    if (named[field] === undefined || named[field] === asked[field]) continue;
    throw new CodedError("INVALID_REQUEST", `payload.${field} is not what permission ${id} asks for`, {
      details: { field: `payload.${field}` },
    });
  }
  const granted = await context.kernel.grantPermission({
    permission: id,
    by: context.principal,
    ...(leaseSeconds === undefined ? {} : { leaseSeconds }),
    ...(reason === undefined ? {} : { reason }),
  });
  const { job, permission, resource, operation } = granted;
  const what = { permission_id: id, job_id: job, permission, resource, operation };
  context.channel.send(
    "lease.granted",
    { ...what, lease_id: leaseOf(granted), expires_at: formatTime(granted.expiresAt), request_id: message.id },
    { job_id: job },
  );
};

export const handleDeny: Handler<"permission.deny"> = async (context, message) => {
  const { permission_id: id, reason } = message.payload;
  await findDecidable({ ...context, id, action: "permission.deny" });
  const { job, permission } = await context.kernel.denyPermission({
    permission: id,
    by: context.principal,
    ...said(reason),
  });
  const what = { permission_id: id, job_id: job, permission, ...said(reason) };
  context.channel.send("permission.denied", { ...what, request_id: message.id }, { job_id: job });
};

export const handleRefresh: Handler<"lease.refresh"> = async (context, message) => {
  const { lease_id, additional_seconds: additionalSeconds } = message.payload;
  const id = permissionIdOf(lease_id);
  await findDecidable({ ...context, id, action: "permission.extend" });
  const extended = await context.kernel.extendPermission({ permission: id, by: context.principal, additionalSeconds });
  const { job, expiresAt } = extended;
  const payload = { lease_id, expires_at: formatTime(expiresAt), job_id: job, request_id: message.id };
  context.channel.send("lease.extended", payload, { job_id: job });
};

export const handleRevoke: Handler<"lease.revoke"> = async (context, message) => {
  const { lease_id, reason } = message.payload;
  const id = permissionIdOf(lease_id);
  await findDecidable({ ...context, id, action: "permission.revoke" });
  const { job } = await context.kernel.revokePermission({ permission: id, by: context.principal, ...said(reason) });
  const payload = { lease_id, ...said(reason), job_id: job, request_id: message.id };
  context.channel.send("lease.revoked", payload, { job_id: job });
};

const said = (reason: string | undefined): { readonly reason?: string } => (reason === undefined ? {} : { reason });

function leaseOf({ id, leaseId }: PermissionRow): string {
  if (leaseId === null) throw new Error(`permission ${id} was granted without a lease`);
  return leaseId;
}

/** @param viewer whose jobs need not say whose they are. */
function listingOf(row: PermissionRow, viewer: string): Listing {
  const { id, job, agent, state, permission, resource, operation, args, reason } = row;
  const decided = row.decidedAt === null ? undefined : formatTime(row.decidedAt);
  return {
    permission_id: id,
    job_id: job,
    agent,
    state,
    permission,
    resource,
    operation,
    reason: reason ?? undefined,
    ...(args === null ? {} : { args: JSON.parse(args) as unknown }),
    requested_lease_seconds: row.leaseSeconds ?? undefined,
    requested_at: formatTime(row.requestedAt),
    lease_id: row.leaseId ?? undefined,
    expires_at: formatTime(row.expiresAt),
    decided_at: decided,
    decided_by: row.decidedBy ?? undefined,
    decision_reason: row.decisionReason ?? undefined,
    principal: row.principal === viewer ? undefined : row.principal,
  };
}
