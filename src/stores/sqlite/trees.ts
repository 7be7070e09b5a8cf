/** Who owns which job tree. One process has the database to itself, so epochs need no lock beyond its transactions. */
import type { JobId, NodeId } from "../../kernel/ids.ts";
import type { JobRecord } from "../../kernel/job/job-record.ts";
import type { ClaimedTree, TreeClaim } from "../../kernel/ports.ts";
import type { Database } from "./database.ts";
import { type JobColumns, SELECT_JOB, toJobRecord, UNFINISHED } from "./jobs.ts";
import type { Keys } from "./keys.ts";

export function createTrees(database: Database, keys: Keys) {
  const raise = database.prepare(
    `UPDATE jobs SET epoch = epoch + 1, owner = ? WHERE key IN (SELECT job.root FROM jobs AS job WHERE ${UNFINISHED})`,
  );
  const selectUnfinished = database.prepare<JobColumns & { epoch: number }>(
    `${SELECT_JOB.replace("job.outcome", "job.outcome, root.epoch")} WHERE ${UNFINISHED} ORDER BY job.root, job.key`,
  );

  const selectTree = database.prepare<JobColumns>(
    `${SELECT_JOB} WHERE job.root = ? AND ${UNFINISHED} ORDER BY job.key`,
  );

  return {
    /** The root first. */
    read(root: JobId): readonly JobRecord[] {
      const found = keys.findJob(root);
      return found === undefined ? [] : selectTree.all(found.key).map(toJobRecord);
    },
    /** The roots of claims that do not hold. */
    refused(claims: readonly TreeClaim[]): readonly JobId[] {
      return claims.filter(({ root, epoch }) => keys.findJob(root)?.epoch !== epoch).map(({ root }) => root);
    },
    /** Every unfinished tree: the directory's lock makes this node the only live one. */
    claim(node: NodeId): readonly ClaimedTree[] {
      const rows = database.transact(() => {
        raise.run(node);
        return selectUnfinished.all();
      });
      keys.forget();
      const byRoot = Map.groupBy(rows, ({ root }) => root);
      return [...byRoot].map(([root, jobs]) => ({
        claim: { root, epoch: jobs[0]?.epoch ?? 0 },
        jobs: jobs.map(({ epoch: _, ...columns }) => toJobRecord(columns)),
      }));
    },
  };
}
