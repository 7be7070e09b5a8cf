/** A tree of jobs (§10) as lines, each job under the one that delegated it. */
import type { ListedJob } from "../api-job.ts";

type TreeJob = Pick<ListedJob, "job_id" | "parent_job_id" | "agent" | "status">;

/** @param newestFirst some jobs of one tree; those whose parent is not among them stand at the left. */
export function treeLines(newestFirst: readonly TreeJob[], here: string): readonly string[] {
  const jobs = newestFirst.toReversed();
  const known = new Set(jobs.map(({ job_id }) => job_id));
  const below = Map.groupBy(jobs, ({ parent_job_id: parent }) =>
    parent !== undefined && known.has(parent) ? parent : "",
  );
  const lines: string[] = [];
  // A stack, not a recursion: how deep a tree is, is the runtime's to say.
  const waiting = (below.get("") ?? []).map((job) => ({ job, depth: 0 })).reverse();
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { job, depth } = next;
    const mark = job.job_id === here ? " ← this job" : "";
    lines.push(`${"  ".repeat(depth)}${job.agent} ${job.job_id} ${job.status}${mark}`);
    const children = (below.get(job.job_id) ?? []).map((child) => ({ job: child, depth: depth + 1 }));
    waiting.push(...children.reverse());
  }
  return lines;
}
