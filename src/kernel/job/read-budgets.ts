/** What budgets read, for whoever looks from outside: as they were last committed, never ahead of the disk. */
import { type BudgetView, viewBudget } from "../authority/budget-view.ts";
import { leaseOf } from "../authority/lease.ts";
import type { JobId } from "../ids.ts";
import type { BudgetRow, Store } from "../ports.ts";
import type { JobRecord } from "./job-record.ts";
import type { JobTable } from "./job-table.ts";

/**
 * The counters of these jobs' own budgets; jobs without one are left out. One read of the store, and none for jobs that
 * are under way here.
 */
export async function readBudgets(
  store: Pick<Store, "readBudgets">,
  table: JobTable,
  jobs: readonly JobRecord[],
): Promise<ReadonlyMap<JobId, BudgetView>> {
  const rows = new Map<JobId, BudgetRow | undefined>();
  const granted = new Map<JobId, Readonly<Record<string, string>>>();
  const stored: JobId[] = [];
  for (const job of jobs) {
    const budget = leaseOf(job)?.budget ?? null;
    if (budget === null) continue;
    granted.set(job.id, budget);
    const active = table.get(job.id);
    // One that is not committed yet has counters, and has not moved them.
    if (active === undefined) stored.push(job.id);
    else rows.set(job.id, active.durableBudget);
  }
  if (stored.length > 0) for (const [id, row] of await store.readBudgets(stored)) rows.set(id, row);
  return new Map([...granted].map(([id, budget]) => [id, viewBudget(budget, rows.get(id))]));
}
