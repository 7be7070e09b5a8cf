/** `GET /api/audit`: who asked for what and whether it was allowed, newest first, as far as it concerns the caller. */
import Type from "typebox";
import { AUDIT_ACTIONS } from "../../kernel/audit/audit-row.ts";
import { formatTime } from "../../kernel/log/entry.ts";
import type { App, RouteContext } from "../route.ts";
import { CursorQuery, Name, NextCursor, Time } from "../schemas.ts";

const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 500;

const Query = Type.Object(
  {
    job: Type.Optional(Name),
    action: Type.Optional(Type.Enum(AUDIT_ACTIONS)),
    principal: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description: "who asked: tenant/id, or an id of the caller's own tenant",
      }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: LARGEST_PAGE, default: DEFAULT_PAGE })),
    cursor: CursorQuery,
  },
  { additionalProperties: false },
);

const Entry = Type.Object({
  at: Time,
  action: Type.String(),
  allowed: Type.Boolean(),
  principal: Type.Optional(Type.String({ description: "who asked; absent when nobody knows" })),
  job_id: Type.Optional(Type.String({ description: "as it was asked for: there need be no such job" })),
  owner: Type.Optional(Type.String({ description: "whom it concerns beside the principal" })),
  details: Type.Record(Type.String(), Type.Unknown()),
});

export function addAudit(app: App, { kernel, visibility, cursors }: RouteContext): void {
  const schema = {
    operationId: "listAudit",
    summary: "Decisions: who asked for what, and whether it was allowed",
    description:
      "Users read what they asked for themselves and what others asked for of theirs; operators, all of their tenant.",
    querystring: Query,
    response: { 200: Type.Object({ entries: Type.Array(Entry), next_cursor: NextCursor }) },
  };
  app.get("/api/audit", { schema }, async ({ query, caller }) => {
    const { limit = DEFAULT_PAGE, cursor, ...filters } = query;
    const { principal, action, job } = filters;
    const scopes = visibility.auditScopes(caller.principal);
    const asked =
      principal === undefined || principal.includes("/") ? principal : `${caller.principal.tenant}/${principal}`;
    const listing = JSON.stringify(["audit", scopes, filters]);
    const page = await kernel.listAudit({
      scopes,
      ...(asked === undefined ? {} : { principal: asked }),
      ...(action === undefined ? {} : { action }),
      ...(job === undefined ? {} : { job }),
      ...(cursor === undefined ? {} : { before: Number(cursors.open(cursor, listing)) }),
      limit,
    });
    const entries = page.entries.map((entry) => {
      const seen = visibility.auditView(caller.principal, entry);
      return {
        at: formatTime(seen.at),
        action: seen.action,
        allowed: seen.allowed,
        ...(seen.principal === null ? {} : { principal: seen.principal }),
        ...(seen.job === null ? {} : { job_id: seen.job }),
        ...(seen.owner === null ? {} : { owner: seen.owner }),
        details: JSON.parse(seen.details) as Record<string, unknown>,
      };
    });
    return { entries, ...(page.next === undefined ? {} : { next_cursor: cursors.seal(String(page.next), listing) }) };
  });
}
