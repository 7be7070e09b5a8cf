/**
 * `/api/permissions`: what jobs ask people for at run time. Whoever may see a job sees what it asks for; its owner, and
 * operators, decide. A grant's own id does where the permission's is asked for.
 */
import Type from "typebox";
import { type Deciding, findDecidable, permissionNotFound } from "../../identity/decidable-permission.ts";
import {
  MAX_GRANT_SECONDS,
  MAX_PERMISSION_REASON,
  PERMISSION_STATES,
  type PermissionPage,
  type PermissionQuery,
  type PermissionRow,
  type PermissionState,
  permissionIdOf,
} from "../../kernel/authority/permission.ts";
import { type Principal, principalKey } from "../../kernel/principal.ts";
import { invalidField } from "../api-error.ts";
import type { ApiOptions } from "../api-options.ts";
import { Permission, permissionView } from "../permission-view.ts";
import type { App, RouteContext } from "../route.ts";
import { CursorQuery, Name, NextCursor } from "../schemas.ts";

const DEFAULT_PAGE = 50;
const LARGEST_PAGE = 200;
/** Rows read at a time, with arguments of at most half a megabyte. */
const READ_AT_ONCE = 32;
/** A page ends beyond this: what agents and deciders say in its permissions together, in UTF-16 units. */
const PAGE_TEXT_LENGTH = 262_144;

const Query = Type.Object(
  {
    state: Type.Optional(
      Type.String({
        maxLength: 128,
        description: `any of ${PERMISSION_STATES.join(", ")}; several with commas between. Default: all`,
      }),
    ),
    job: Type.Optional(Name),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: LARGEST_PAGE, default: DEFAULT_PAGE })),
    cursor: CursorQuery,
  },
  { additionalProperties: false },
);

const Params = Type.Object({ permission_id: Name }, { additionalProperties: false });

const reason = Type.Optional(
  Type.String({ maxLength: MAX_PERMISSION_REASON, description: "why; kept with the decision" }),
);
const seconds = (description: string) => Type.Integer({ minimum: 1, maximum: MAX_GRANT_SECONDS, description });

const GrantBody = Type.Union([
  Type.Object(
    { lease_seconds: Type.Optional(seconds("how long the grant lasts; default: what is asked for")), reason },
    { additionalProperties: false },
  ),
  Type.Null(),
]);
const ReasonBody = Type.Union([Type.Object({ reason }, { additionalProperties: false }), Type.Null()]);
const ExtendBody = Type.Object(
  { additional_seconds: seconds("how much longer the grant lasts") },
  { additionalProperties: false },
);

const PATH = "/api/permissions/:permission_id([^:/]+)";

export function addPermissions(app: App, context: RouteContext): void {
  const { kernel, visibility } = context;
  const decidable = async (principal: Principal, asked: string, action: Deciding): Promise<string> =>
    (await findDecidable({ kernel, visibility, principal, id: permissionIdOf(asked), asked, action, via: "api" })).id;
  addListing(app, context);

  const ofOne = { params: Params, response: { 200: Permission } };
  const shown = { ...ofOne, operationId: "getPermission", summary: "One permission, and what became of it" };
  app.get(PATH, { schema: shown }, async ({ params, caller }) =>
    permissionView(await findVisible(context, caller.principal, params.permission_id)),
  );

  const granted = {
    ...ofOne,
    operationId: "grantPermission",
    summary: "Lets the job do what it asked for, for a while",
    description: "Answered once the grant is durable. It ends with the job, and with its lease, at the latest.",
    body: GrantBody,
  };
  app.post(`${PATH}::grant`, { schema: granted }, async ({ params, body, caller }) => {
    const id = await decidable(caller.principal, params.permission_id, "permission.grant");
    const { lease_seconds: leaseSeconds } = body ?? {};
    const how = { ...because(body), ...(leaseSeconds === undefined ? {} : { leaseSeconds }) };
    return permissionView(await kernel.grantPermission({ permission: id, by: caller.principal, ...how }));
  });

  const denied = {
    ...ofOne,
    operationId: "denyPermission",
    summary: "Refuses what the job asked for",
    body: ReasonBody,
  };
  app.post(`${PATH}::deny`, { schema: denied }, async ({ params, body, caller }) => {
    const id = await decidable(caller.principal, params.permission_id, "permission.deny");
    return permissionView(await kernel.denyPermission({ permission: id, by: caller.principal, ...because(body) }));
  });

  const revoked = {
    ...ofOne,
    operationId: "revokePermission",
    summary: "Takes a grant back",
    description: "What the job does with it from then on is refused; the job goes on.",
    body: ReasonBody,
  };
  app.post(`${PATH}::revoke`, { schema: revoked }, async ({ params, body, caller }) => {
    const id = await decidable(caller.principal, params.permission_id, "permission.revoke");
    return permissionView(await kernel.revokePermission({ permission: id, by: caller.principal, ...because(body) }));
  });

  const extended = {
    ...ofOne,
    operationId: "extendPermission",
    summary: "Has a grant last longer",
    description: "Never beyond the end of the job's lease. Asked twice, it lasts longer twice.",
    body: ExtendBody,
  };
  app.post(`${PATH}::extend`, { schema: extended }, async ({ params, body, caller }) => {
    const id = await decidable(caller.principal, params.permission_id, "permission.extend");
    const { additional_seconds: additionalSeconds } = body;
    return permissionView(await kernel.extendPermission({ permission: id, by: caller.principal, additionalSeconds }));
  });
}

function addListing(app: App, { kernel, visibility, cursors }: RouteContext): void {
  const schema = {
    operationId: "listPermissions",
    summary: "What jobs that the caller may see ask people for, newest first",
    description:
      "With state=pending it is the inbox. A page with a next_cursor may hold fewer permissions than were asked for.",
    querystring: Query,
    response: { 200: Type.Object({ permissions: Type.Array(Permission), next_cursor: NextCursor }) },
  };
  app.get("/api/permissions", { schema }, async ({ query, caller }) => {
    const { limit = DEFAULT_PAGE, cursor, ...filters } = query;
    const principals = visibility.observable(caller.principal);
    const listing = JSON.stringify(["permissions", principals, filters]);
    const before = cursor === undefined ? undefined : Number(cursors.open(cursor, listing));
    const { permissions, next } = await readPage(kernel, {
      principals,
      ...(filters.state === undefined ? {} : { states: readStates(filters.state) }),
      ...(filters.job === undefined ? {} : { job: filters.job }),
      ...(before === undefined ? {} : { before }),
      limit,
    });
    return {
      permissions: permissions.map(permissionView),
      ...(next === undefined ? {} : { next_cursor: cursors.seal(String(next), listing) }),
    };
  });
}

/** Ends where the arguments get long: nobody else has a turn while they are read and written. */
async function readPage(kernel: RouteContext["kernel"], query: PermissionQuery): Promise<PermissionPage> {
  const permissions: PermissionRow[] = [];
  let length = 0;
  let next = query.before;
  do {
    const limit = Math.min(query.limit - permissions.length, READ_AT_ONCE);
    const page = await kernel.listPermissions({ ...query, ...(next === undefined ? {} : { before: next }), limit });
    for (const row of page.permissions) {
      permissions.push(row);
      for (const text of [row.args, row.resource, row.reason, row.decisionReason]) length += text?.length ?? 0;
    }
    next = page.next;
    // What a store gives up looking for is for the next page.
    if (page.permissions.length < limit) break;
  } while (next !== undefined && permissions.length < query.limit && length < PAGE_TEXT_LENGTH);
  return { permissions, next };
}

function readStates(text: string): PermissionState[] {
  return text.split(",").map((state) => {
    const known = PERMISSION_STATES.find((one) => one === state);
    if (known === undefined) {
      throw invalidField("query.state", `must be some of ${PERMISSION_STATES.join(", ")}, with commas between`);
    }
    return known;
  });
}

function because(body: { readonly reason?: string } | null): { readonly reason?: string } {
  return body?.reason === undefined ? {} : { reason: body.reason };
}

/** @throws CodedError JOB_NOT_FOUND for one of a job that the caller may not see, as for one that does not exist. */
async function findVisible(context: ApiOptions, principal: Principal, id: string): Promise<PermissionRow> {
  const { kernel, visibility } = context;
  const row = await kernel.readPermission(permissionIdOf(id));
  const allowed = row !== undefined && visibility.mayObserve(principal, row);
  const key = principalKey(principal);
  // As of their jobs: whoever looks at another's is audited.
  if (row?.principal !== key) {
    const details = { permission_id: id };
    const owner = row?.principal ?? null;
    kernel.audit({ principal: key, action: "job.read", job: allowed ? row.job : null, owner, allowed, details });
  }
  if (!allowed) throw permissionNotFound(id);
  return row;
}
