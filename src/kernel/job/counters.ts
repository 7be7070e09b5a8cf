/**
 * The money of a job tree, as the store has it: what the jobs of a tree that is taken up begin with. And how the purse of
 * a job comes to be, whose moves go with the job's next commit.
 */
import type { Timers } from "../../platform/world.ts";
import { leaseOf } from "../authority/lease.ts";
import { Purse, type PurseOptions } from "../authority/purse.ts";
import type { JobId } from "../ids.ts";
import { type BudgetRow, HOLDS_PAGE, type HoldRow, type Store } from "../ports.ts";
import type { ActiveJob, NewActiveJob } from "./active-job.ts";
import type { JobRecord } from "./job-record.ts";
import type { JobTable } from "./job-table.ts";

export interface StoredCounters {
  /** @param parent the job above it, which is in memory already. */
  of(
    record: JobRecord,
    parent: ActiveJob | undefined,
  ): Pick<NewActiveJob, "parent" | "purse" | "budget" | "holds" | "hold">;
}

/** @param tree unfinished jobs of one tree, parents before their children. */
export async function readCounters(
  store: Pick<Store, "readBudgets" | "readHolds">,
  timers: Timers,
  table: Pick<JobTable, "touch">,
  tree: readonly JobRecord[],
): Promise<StoredCounters> {
  const granted = new Map(tree.map((record) => [record.id, leaseOf(record)?.budget ?? null]));
  const budgeted = [...granted].filter(([, budget]) => budget !== null).map(([id]) => id);
  const budgets = budgeted.length === 0 ? new Map<JobId, BudgetRow>() : await store.readBudgets(budgeted);
  const holds = new Map<JobId, readonly HoldRow[]>();
  const children = new Map<JobId, HoldRow>();
  for (const { id, attempt } of tree) {
    // A job that never ran holds nothing.
    if (attempt === 0) continue;
    const rows = await readAllHolds(store, timers, id);
    holds.set(id, rows);
    for (const row of rows) if (row.child !== null) children.set(row.child, row);
  }

  return {
    of({ id }, parent) {
      const own = holds.get(id);
      const budget = budgets.get(id);
      const hold = children.get(id);
      const purse = purseOf(table, { job: id, granted: granted.get(id) ?? null, above: parent?.purse, stored: budget });
      return {
        ...(parent && { parent }),
        ...(purse && { purse }),
        ...(budget && { budget }),
        ...(own && { holds: own }),
        ...(hold && { hold }),
      };
    },
  };
}

/** Others have a turn between two pages. */
async function readAllHolds(store: Pick<Store, "readHolds">, timers: Timers, job: JobId): Promise<readonly HoldRow[]> {
  const rows: HoldRow[] = [];
  for (;;) {
    const page = await store.readHolds(job, rows.at(-1)?.id);
    for (const row of page) rows.push(row);
    if (page.length < HOLDS_PAGE) return rows;
    await new Promise<void>((resolve) => timers.soon(resolve));
  }
}

/** The purse of a job; undefined where nothing is budgeted, here or above: such a job pays nothing for budgets. */
export function purseOf(table: Pick<JobTable, "touch">, options: Omit<PurseOptions, "onChanged">): Purse | undefined {
  if (options.granted === null && options.above === undefined) return undefined;
  return new Purse({ ...options, onChanged: () => table.touch(options.job) });
}
