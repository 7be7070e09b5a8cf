/** How far the counters of budgets have moved, and what they have promised. */
import type { JobId } from "../../kernel/ids.ts";
import { type BudgetRow, HOLDS_PAGE, type HoldRow } from "../../kernel/ports.ts";
import type { Database } from "./database.ts";
import type { Keys } from "./keys.ts";

export function createBudgets(database: Database, keys: Keys) {
  const writeBudget = database.prepare(
    "INSERT INTO budgets (job, counters) VALUES (?, ?) ON CONFLICT DO UPDATE SET counters = excluded.counters",
  );
  const selectBudgets = database.prepare<BudgetRow>(
    `SELECT job.id AS job, row.counters FROM budgets AS row JOIN jobs AS job ON job.key = row.job
    WHERE job.id IN (SELECT value FROM json_each(?))`,
  );
  const writeHold = database.prepare(
    `INSERT INTO holds (job, id, kind, key, digest, amounts, child, state, attempt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET kind = excluded.kind, key = excluded.key, digest = excluded.digest,
      amounts = excluded.amounts, child = excluded.child, state = excluded.state, attempt = excluded.attempt`,
  );
  const selectHolds = database.prepare<Omit<HoldRow, "job">>(
    `SELECT id, kind, key, digest, amounts, child, state, attempt FROM holds
    WHERE job = ? AND id > ? ORDER BY id LIMIT ${HOLDS_PAGE}`,
  );

  return {
    write({ job, counters }: BudgetRow): void {
      writeBudget.run(keys.jobKey(job), counters);
    },
    read(jobs: readonly JobId[]): ReadonlyMap<JobId, BudgetRow> {
      return new Map(selectBudgets.all(JSON.stringify(jobs)).map((row) => [row.job, { ...row }]));
    },
    writeHold({ job, id, kind, key, digest, amounts, child, state, attempt }: HoldRow): void {
      writeHold.run(keys.jobKey(job), id, kind, key, digest, amounts, child, state, attempt);
    },
    readHolds(job: JobId, after: string): readonly HoldRow[] {
      const found = keys.findJob(job);
      return found === undefined ? [] : selectHolds.all(found.key, after).map((hold) => ({ job, ...hold }));
    },
  };
}
