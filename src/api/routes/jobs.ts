/** `GET /api/jobs`: the jobs the caller may see, newest first. */
import Type, { type Static } from "typebox";
import type { JobId } from "../../kernel/ids.ts";
import type { JobStatus } from "../../kernel/job/job-state.ts";
import { listedLength } from "../../kernel/job/list.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type JobQuery, PAGE_LENGTH } from "../../kernel/ports.ts";
import { matchesPrincipal, type Principal, type PrincipalPattern } from "../../kernel/principal.ts";
import { invalidField } from "../api-error.ts";
import { JobListing } from "../job-view.ts";
import { listed } from "../listed-jobs.ts";
import type { App, RouteContext } from "../route.ts";
import { type ApiJobStatus, CursorQuery, JOB_STATUSES, Name, NextCursor, TimeQuery } from "../schemas.ts";

const DEFAULT_PAGE = 50;
const LARGEST_PAGE = 200;

const Query = Type.Object(
  {
    status: Type.Optional(
      Type.String({ maxLength: 128, description: `any of ${JOB_STATUSES.join(", ")}; several with commas between` }),
    ),
    agent: Type.Optional(Name),
    created_after: Type.Optional(TimeQuery),
    created_before: Type.Optional(TimeQuery),
    principal: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description: "whose jobs: tenant/id, or an id of the caller's own tenant. Default: of all the caller may see",
      }),
    ),
    parent: Type.Optional(Name),
    root: Type.Optional(Name),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: LARGEST_PAGE, default: DEFAULT_PAGE })),
    cursor: CursorQuery,
  },
  { additionalProperties: false },
);

export function addJobs(app: App, { kernel, visibility, cursors }: RouteContext): void {
  const schema = {
    operationId: "listJobs",
    summary: "Jobs the caller may see, newest first",
    description:
      "A page with a next_cursor may hold fewer jobs than were asked for. What the caller may not see matches nothing.",
    querystring: Query,
    response: { 200: Type.Object({ jobs: Type.Array(JobListing), next_cursor: NextCursor }) },
  };
  app.get("/api/jobs", { schema }, async ({ query, caller }) => {
    const { limit = DEFAULT_PAGE, cursor, ...filters } = query;
    const principals = chosenPrincipals(visibility.observable(caller.principal), filters.principal, caller.principal);
    const listing = JSON.stringify(["jobs", principals, filters]);
    const jobs = await kernel.listJobs({
      principals,
      ...filterOf(filters),
      ...(cursor === undefined ? {} : { after: await placeOf(kernel, cursors.open(cursor, listing)) }),
      limit: limit + 1,
    });
    const shown = jobs.slice(0, limit);
    const last = shown.at(-1);
    const length = jobs.reduce((sum, job) => sum + listedLength(job), 0);
    const goesOn = last !== undefined && (jobs.length > limit || length >= PAGE_LENGTH);
    return {
      jobs: await listed(kernel, shown),
      ...(goesOn ? { next_cursor: cursors.seal(last.id, listing) } : {}),
    };
  });
}

/** The job a page ended with. One that was removed since would end the listing here, as if nothing came after it. */
async function placeOf(kernel: Kernel, last: JobId): Promise<JobId> {
  if ((await kernel.readJob(last)) === undefined) {
    throw invalidField("query.cursor", "ends with a job that is not kept any more: leave it out");
  }
  return last;
}

/** What is asked for within what may be seen. */
function chosenPrincipals(
  observable: readonly PrincipalPattern[],
  asked: string | undefined,
  { tenant }: Principal,
): readonly PrincipalPattern[] {
  if (asked === undefined) return observable;
  const key = asked.includes("/") ? asked : `${tenant}/${asked}`;
  return observable.some((pattern) => matchesPrincipal(pattern, key)) ? [key] : [];
}

function filterOf(query: Omit<Static<typeof Query>, "limit" | "cursor" | "principal">): Partial<JobQuery> {
  const { status, agent, created_after, created_before, parent, root } = query;
  return {
    ...(status === undefined ? {} : { status: storedStatuses(status) }),
    ...(agent === undefined ? {} : { agent }),
    ...(created_after === undefined ? {} : { createdAfter: parseTime("created_after", created_after) }),
    ...(created_before === undefined ? {} : { createdBefore: parseTime("created_before", created_before) }),
    ...(parent === undefined ? {} : { parent }),
    ...(root === undefined ? {} : { root }),
  };
}

/** `running` as it is shown includes what is ending. */
function storedStatuses(text: string): JobStatus[] {
  const statuses = text.split(",").map((status) => {
    if (!(JOB_STATUSES as readonly string[]).includes(status)) {
      throw invalidField("query.status", `must be some of ${JOB_STATUSES.join(", ")}, with commas between`);
    }
    return status as ApiJobStatus;
  });
  return statuses.includes("running") ? [...statuses, "ending"] : statuses;
}

function parseTime(name: string, text: string): number {
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw invalidField(`query.${name}`, "must be a time such as 2026-05-13T19:30:00Z");
  return time;
}
