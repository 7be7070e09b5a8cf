/** The memory store's side of removing history; see `Store.findRemovable`. */
import type { JobId } from "../../kernel/ids.ts";
import type { JobRecord } from "../../kernel/job/job-record.ts";
import { isTerminal } from "../../kernel/job/job-state.ts";
import type { RemovablePage, RemovableQuery, RemovalStep } from "../../kernel/ports.ts";
import type { Tables } from "./tables.ts";

export function logBytes(tables: Tables, job: JobId): number {
  const chunks = (tables.chunks.get(job) ?? []).map(({ payloads }) => Buffer.byteLength(payloads.join("\n")));
  const steps = (tables.steps.get(job) ?? []).map(({ value }) => Buffer.byteLength(value ?? ""));
  return [...chunks, ...steps].reduce((sum, bytes) => sum + bytes, 0);
}

export function sizeOf(tables: Tables): number {
  let size = 0;
  for (const job of tables.jobs.keys()) size += logBytes(tables, job);
  return size;
}

export function findRemovable(tables: Tables, { endedBefore, from = 0, limit }: RemovableQuery): RemovablePage {
  const all = [...tables.jobs.values()];
  const needed = neededJobs(tables);
  const roots: JobId[] = [];
  for (const [index, job] of all.entries()) {
    if (index < from || job.root !== job.id) continue;
    if (roots.length >= limit) return { roots, next: index };
    const tree = all.filter(({ root }) => root === job.id);
    if (isRemovable(tree, endedBefore, needed)) roots.push(job.id);
  }
  return { roots, next: undefined };
}

export function removeTrees(tables: Tables, roots: readonly JobId[]): RemovalStep {
  const needed = neededJobs(tables);
  let removed = 0;
  for (const id of new Set(roots)) {
    const tree = [...tables.jobs.values()].filter(({ root }) => root === id);
    if (tree.length === 0 || !isRemovable(tree, Infinity, needed)) continue;
    const gone = new Set(tree.map((job) => job.id));
    for (const job of gone)
      for (const rows of [tables.jobs, tables.inputs, tables.chunks, tables.steps, tables.budgets]) rows.delete(job);
    tables.trees.delete(id);
    for (const rows of [tables.idempotency, tables.artifacts, tables.holds, tables.permissions]) removeOf(rows, gone);
    removed++;
  }
  return { removed, more: false };
}

export function removeCommands(tables: Tables, createdBefore: number, limit: number): number {
  const old = [...tables.commands].filter(([, { row }]) => row.createdAt < createdBefore).slice(0, Math.max(0, limit));
  for (const [id] of old) tables.commands.delete(id);
  return old.length;
}

function isRemovable(tree: readonly JobRecord[], endedBefore: number, needed: ReadonlySet<JobId>): boolean {
  return tree.every(
    ({ id, status, endedAt }) => isTerminal(status) && endedAt !== null && endedAt < endedBefore && !needed.has(id),
  );
}

function neededJobs(tables: Tables): ReadonlySet<JobId> {
  const rows = [...tables.follows.values(), ...tables.segments.values()].flat();
  return new Set(rows.map(({ job }) => job));
}

function removeOf(rows: Map<string, { readonly job: JobId }>, gone: ReadonlySet<JobId>): void {
  for (const [id, { job }] of rows) if (gone.has(job)) rows.delete(id);
}
