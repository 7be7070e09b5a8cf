/**
 * `session.list_jobs` (§6.6): the jobs that the principal may see, newest first. The cursor is the last job of a page, which holds
 * fewer jobs than were asked for once their leases together reach `PAGE_LENGTH`.
 */
import type { JobStatus } from "../../kernel/job/job-state.ts";
import { listedLength } from "../../kernel/job/list.ts";
import { PAGE_LENGTH } from "../../kernel/ports.ts";
import { listingOf } from "../job-view.ts";
import type { Handler } from "./handler.ts";

const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 1_000;

export const handleListJobs: Handler<"session.list_jobs"> = async (context, message) => {
  const { kernel, principal, visibility, session, channel, turns } = context;
  await turns.next(session);
  if (channel.isGone) return;
  const { filter, limit, cursor } = message.payload;
  const page = Math.min(limit ?? DEFAULT_PAGE, LARGEST_PAGE);
  const jobs = await kernel.listJobs({
    principals: visibility.observable(principal),
    ...(filter.status === undefined ? {} : { status: storedStatuses(filter.status) }),
    ...(filter.agent === undefined ? {} : { agent: filter.agent }),
    ...(filter.created_after === undefined ? {} : { createdAfter: Date.parse(filter.created_after) }),
    ...(filter.created_before === undefined ? {} : { createdBefore: Date.parse(filter.created_before) }),
    ...(cursor === undefined ? {} : { after: cursor }),
    limit: page + 1,
  });
  const shown = jobs.slice(0, page);
  const heads = await kernel.readHeads(shown.map((job) => job.id));
  const budgets = await kernel.readBudgets(shown);
  const length = jobs.reduce((sum, job) => sum + listedLength(job), 0);
  const next = jobs.length > page || length >= PAGE_LENGTH ? shown.at(-1)?.id : undefined;
  channel.send("session.jobs", {
    request_id: message.id,
    jobs: shown.map((job) => {
      const facts = { head: heads.get(job.id) ?? 0, budget: budgets.get(job.id) };
      return listingOf(job, facts, session.principal);
    }),
    ...(next === undefined ? {} : { next_cursor: next }),
  });
};

/** `running` on the wire includes what is ending. */
function storedStatuses(statuses: readonly Exclude<JobStatus, "ending">[]): JobStatus[] {
  return statuses.includes("running") ? [...statuses, "ending"] : [...statuses];
}
