/**
 * Removing the history of ended job trees. A tree's rows go in one transaction; its inputs, steps, holds, permissions and logs,
 * which may be large, go with them as far as one short transaction can hold them, and step by step after that (`removals` lists the
 * jobs of which something is left over).
 * Freed pages are used again; the file does not shrink.
 *
 * Idempotency keys of removed jobs stay behind without a meaning, since an index to find them by job would be written at
 * every submission. They are overwritten when used again, and looked for page by page once enough of them may be there.
 */
import type { JobId } from "../../kernel/ids.ts";
import type { RemovablePage, RemovableQuery, RemovalStep } from "../../kernel/ports.ts";
import type { Database } from "./database.ts";
import { UNFINISHED } from "./jobs.ts";
import type { Keys } from "./keys.ts";
import { LAST_SEQ, SEQ_BITS } from "./log.ts";

/** Jobs looked at for one page of removable trees. */
const JOBS_LOOKED_AT = 512;
/** Jobs whose rows one step removes, and one page of removable trees looks at, and then no further tree: some 10 ms. */
const JOBS_PER_STEP = 2_048;
/** What one step removes of inputs, steps, holds, permissions and logs at most: so many rows, or as many as reach this many bytes. */
const ROWS_PER_STEP = 256;
const BYTES_PER_STEP = 2_097_152;
/** Keys without a job are looked for after so many removals, so many rows a step. */
const REMOVALS_PER_SEARCH = 1_000;
const KEYS_PER_STEP = 1_000;

interface Candidate {
  readonly key: number;
  readonly id: JobId;
  readonly root: number;
  readonly createdAt: number;
}

export function createRetention(database: Database, keys: Keys) {
  const selectFrom = database.prepare<Candidate>(
    `SELECT key, id, root, created_at AS createdAt FROM jobs WHERE key > ? ORDER BY key LIMIT ${JOBS_LOOKED_AT}`,
  );
  const selectTree = database.prepare<{ key: number; id: JobId; endedAt: number | null }>(
    `SELECT key, id, ended_at AS endedAt FROM jobs WHERE key = ?1
    UNION ALL SELECT key, id, ended_at FROM jobs WHERE root = ?1 AND parent IS NOT NULL`,
  );
  const selectUnfinished = database.prepare<{ found: number }>(
    `SELECT 1 AS found FROM jobs AS job WHERE job.root = ? AND ${UNFINISHED} LIMIT 1`,
  );
  const selectNeeded = database.prepare<{ job: number }>(
    `SELECT job FROM follows WHERE job IN (SELECT value FROM json_each(?1))
    UNION SELECT job FROM segments WHERE job IN (SELECT value FROM json_each(?1))`,
  );
  const deleteOf = ["artifacts WHERE job", "budgets WHERE job", "jobs WHERE key"].map((rows) =>
    database.prepare(`DELETE FROM ${rows} = ?`),
  );
  const insertRemoval = database.prepare("INSERT INTO removals (job) VALUES (?)");
  /** The newest stays, done or not: by it no key is given twice. */
  const selectRemoval = database.prepare<{ job: number }>(
    "SELECT job FROM removals WHERE done = 0 ORDER BY job LIMIT 1",
  );
  const finishRemoval = database.prepare("UPDATE removals SET done = 1 WHERE job = ?");
  const deleteRemovals = database.prepare(
    "DELETE FROM removals WHERE done = 1 AND job < (SELECT max(job) FROM removals)",
  );
  const selectRows = database.prepare<{ seq: number; bytes: number }>(
    `SELECT id & ${LAST_SEQ} AS seq, octet_length(payloads) AS bytes FROM chunks
    WHERE id BETWEEN ?1 << ${SEQ_BITS} AND (?1 << ${SEQ_BITS}) + ${LAST_SEQ} ORDER BY id LIMIT ?2`,
  );
  const deleteRows = database.prepare(
    `DELETE FROM chunks WHERE id BETWEEN ?1 << ${SEQ_BITS} AND (?1 << ${SEQ_BITS}) + ?2`,
  );
  const selectInput = database.prepare<{ bytes: number }>(
    "SELECT octet_length(text) AS bytes FROM inputs WHERE job = ?",
  );
  const deleteInput = database.prepare("DELETE FROM inputs WHERE job = ?");
  const selectSteps = database.prepare<{ key: number; bytes: number | null }>(
    "SELECT rowid AS key, octet_length(value) AS bytes FROM steps WHERE job = ? LIMIT ?",
  );
  const deleteStep = database.prepare("DELETE FROM steps WHERE rowid = ?");
  const selectHolds = database.prepare<{ id: string; bytes: number }>(
    "SELECT id, octet_length(amounts) + octet_length(key) AS bytes FROM holds WHERE job = ? ORDER BY id LIMIT ?",
  );
  const deleteHold = database.prepare("DELETE FROM holds WHERE job = ? AND id = ?");
  const selectPermissions = database.prepare<{ key: number; bytes: number }>(
    "SELECT key, octet_length(coalesce(args, '')) AS bytes FROM permissions WHERE job = ? LIMIT ?",
  );
  const deletePermission = database.prepare("DELETE FROM permissions WHERE key = ?");
  const selectLastKey = database.prepare<{ principal: string; key: string }>(
    `SELECT principal, key FROM (SELECT principal, key FROM idempotency WHERE (principal, key) > (?, ?)
      ORDER BY principal, key LIMIT ${KEYS_PER_STEP}) ORDER BY principal DESC, key DESC LIMIT 1`,
  );
  const deleteKeys = database.prepare(
    `DELETE FROM idempotency WHERE (principal, key) > (?, ?) AND (principal, key) <= (?, ?)
      AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.key = idempotency.job)`,
  );
  const selectSize = database.prepare<{ size: number }>(
    `SELECT (pages.page_count - free.freelist_count) * unit.page_size AS size
    FROM pragma_page_count() AS pages, pragma_freelist_count() AS free, pragma_page_size() AS unit`,
  );

  let removedSinceSearch = 0;
  /** Up to where keys without a job were looked for; undefined when nobody is looking. */
  let searched: { readonly principal: string; readonly key: string } | undefined;

  /** The jobs of a tree; undefined when it may not be removed. */
  function endedTree(root: number, endedBefore: number) {
    if (selectUnfinished.get(root) !== undefined) return undefined;
    const jobs = selectTree.all(root);
    const isOver = jobs.length > 0 && jobs.every(({ endedAt }) => endedAt !== null && endedAt < endedBefore);
    return isOver ? jobs : undefined;
  }

  function neededOf(jobs: readonly { readonly key: number }[]): ReadonlySet<number> {
    return new Set(selectNeeded.all(JSON.stringify(jobs.map(({ key }) => key))).map(({ job }) => job));
  }

  /** Removes what is left of removed jobs, the oldest first. True when the step is full. */
  function removeLeftovers(): boolean {
    let rows = ROWS_PER_STEP;
    let bytes = BYTES_PER_STEP;
    const isFull = (): boolean => rows <= 0 || bytes <= 0;
    const count = (removed: number | null): void => {
      rows--;
      bytes -= removed ?? 0;
    };
    for (let next = selectRemoval.get(); next !== undefined; next = selectRemoval.get()) {
      const { job } = next;
      const input = selectInput.get(job);
      if (input !== undefined) {
        deleteInput.run(job);
        count(input.bytes);
      }
      if (isFull()) return true;
      for (const step of selectSteps.all(job, rows)) {
        deleteStep.run(step.key);
        count(step.bytes);
        if (isFull()) return true;
      }
      for (const hold of selectHolds.all(job, rows)) {
        deleteHold.run(job, hold.id);
        count(hold.bytes);
        if (isFull()) return true;
      }
      for (const permission of selectPermissions.all(job, rows)) {
        deletePermission.run(permission.key);
        count(permission.bytes);
        if (isFull()) return true;
      }
      let last: number | undefined;
      for (const row of selectRows.iterate(job, rows)) {
        last = row.seq;
        count(row.bytes);
        if (isFull()) break;
      }
      if (last !== undefined) deleteRows.run(job, last);
      if (isFull()) return true;
      finishRemoval.run(job);
    }
    deleteRemovals.run();
    return false;
  }

  function removeKeys(): boolean {
    if (searched === undefined) {
      if (removedSinceSearch < REMOVALS_PER_SEARCH) return false;
      removedSinceSearch = 0;
      searched = { principal: "", key: "" };
    }
    const last = selectLastKey.get(searched.principal, searched.key);
    if (last !== undefined) deleteKeys.run(searched.principal, searched.key, last.principal, last.key);
    searched = last;
    return last !== undefined;
  }

  return {
    find({ endedBefore, from = 0, limit }: RemovableQuery): RemovablePage {
      const trees: { id: JobId; jobs: readonly { readonly key: number }[] }[] = [];
      const looked = selectFrom.all(from);
      // In the order of insertion, which is that of creation unless a clock was wrong: after so many that are too young
      // comes nothing that is old enough.
      const isPast = looked.every(({ createdAt }) => createdAt >= endedBefore);
      let next = isPast || looked.length < JOBS_LOOKED_AT ? undefined : looked.at(-1)?.key;
      let count = 0;
      for (const { key, id, root, createdAt } of looked) {
        if (root !== key || createdAt >= endedBefore) continue;
        const jobs = endedTree(key, endedBefore);
        if (jobs === undefined) continue;
        trees.push({ id, jobs });
        count += jobs.length;
        if (trees.length >= limit || count >= JOBS_PER_STEP) {
          next = key;
          break;
        }
      }
      const needed = neededOf(trees.flatMap(({ jobs }) => jobs));
      const roots = trees.filter(({ jobs }) => !jobs.some(({ key }) => needed.has(key))).map(({ id }) => id);
      return { roots, next };
    },

    /** One transaction. Trees for which it would become too long are left as they are. */
    remove(roots: readonly JobId[]): RemovalStep {
      let removed = 0;
      const more = database.transact(() => {
        const trees: (readonly { readonly key: number; readonly id: JobId }[])[] = [];
        let count = 0;
        for (const root of new Set(roots)) {
          if (count >= JOBS_PER_STEP) break;
          const found = keys.findJob(root);
          const jobs = (found?.epoch != null && endedTree(found.key, Number.MAX_SAFE_INTEGER)) || [];
          trees.push(jobs);
          count += jobs.length;
        }
        const needed = neededOf(trees.flat());
        for (const jobs of trees) {
          if (jobs.length === 0 || jobs.some(({ key }) => needed.has(key))) continue;
          for (const { key, id } of jobs) {
            for (const statement of deleteOf) statement.run(key);
            insertRemoval.run(key);
            keys.dropJob(id);
          }
          removed++;
        }
        removedSinceSearch += removed;
        return removeLeftovers() || removeKeys();
      });
      return { removed, more };
    },

    size: (): number => selectSize.get()?.size ?? 0,
  };
}
