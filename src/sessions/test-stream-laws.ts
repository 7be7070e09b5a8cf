/** For tests: what must hold of every session's stream (§8.3), said as a list of what does not. */
import type { Placed } from "./test-client.ts";

export interface StreamExpectation {
  /** Entries of hidden kinds leave gaps in the positions of their job, and only there. Default: no. */
  readonly hides?: boolean;
  /** The place before the first. Default: 0. */
  readonly after?: number;
}

/** Gaps, repeats and disorder in a session's stream; empty when there are none. */
export function streamProblems(
  events: readonly Placed[],
  { hides = false, after = 0 }: StreamExpectation = {},
): string[] {
  const problems: string[] = [];
  const heads = new Map<string, number>();
  const ended = new Set<string>();
  let last = after;
  for (const { event_seq: seq, job_id: job, type, payload } of events) {
    if (seq !== last + 1) problems.push(`place ${seq} comes after ${last}`);
    last = seq;
    // A place of the stream alone, such as a `back_pressure` or a child: no entry of the job's log.
    if (!("job_seq" in payload) || payload.job_seq === undefined) continue;
    const jobSeq = payload.job_seq;
    const before = heads.get(job);
    const follows = before === undefined || (hides ? jobSeq > before : jobSeq === before + 1);
    if (!follows) problems.push(`entry ${jobSeq} of ${job} comes after ${before}`);
    heads.set(job, jobSeq);
    if (ended.has(job)) problems.push(`${job} goes on after its terminal`);
    if (type !== "job.event") ended.add(job);
  }
  return problems;
}
