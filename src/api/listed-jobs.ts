/** Jobs with the facts that are not in their rows: where their logs end, their budgets, what progress they last told of. */
import { agentReference, type JobRecord } from "../kernel/job/job-record.ts";
import { isTerminal } from "../kernel/job/job-state.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { EVENT_KINDS } from "../protocol/event-kinds.ts";
import { type JobListing, listingOf } from "./job-view.ts";

/** Progress is told of jobs under way: of an ended one its result matters. */
export async function listed(kernel: Kernel, jobs: readonly JobRecord[]): Promise<JobListing[]> {
  const heads = await kernel.readHeads(jobs.map(({ id }) => id));
  const budgets = await kernel.readBudgets(jobs);
  const agents = new Set(kernel.listAgents().flatMap(({ name, versions }) => versions.map((of) => `${name}@${of}`)));
  const listings: JobListing[] = [];
  for (const job of jobs) {
    const latest = isTerminal(job.status) ? undefined : await kernel.readLatest(job.id, EVENT_KINDS.progress.code);
    listings.push(
      listingOf(job, {
        head: heads.get(job.id) ?? 0,
        progress: latest?.payload,
        budget: budgets.get(job.id),
        agentIsHere: agents.has(agentReference(job)),
      }),
    );
  }
  return listings;
}
