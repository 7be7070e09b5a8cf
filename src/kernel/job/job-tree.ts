/** A job among the jobs of its tree, as far as they are in memory: everything unfinished, and what has ended since the last commit. */
import type { ActiveJob } from "./active-job.ts";
import { isTerminal } from "./job-state.ts";

/** Jobs above this one, its parent first and the root last; none for a root. */
export function* ancestorsOf(job: ActiveJob): Generator<ActiveJob, void, void> {
  for (let above = job.parent; above !== undefined; above = above.parent) yield above;
}

/** The whole tree this job belongs to, parents before their children. */
export function treeOf(job: ActiveJob): readonly ActiveJob[] {
  let root = job;
  for (const above of ancestorsOf(job)) root = above;
  const tree = [root];
  // Grows while it is read: a tree has no cycles.
  for (const each of tree) tree.push(...each.children);
  return tree;
}

export function isLive(job: ActiveJob): boolean {
  return !isTerminal(job.record.status);
}
