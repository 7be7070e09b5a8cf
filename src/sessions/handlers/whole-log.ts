/** Whether a session's stream holds the log of an ended job already, as after an answer to its key that was lost. */
import type { JobId } from "../../kernel/ids.ts";
import { endsLog } from "../../kernel/log/follow.ts";
import type { HandlerContext } from "./handler.ts";

/** Segments looked through at a time. */
const PAGE_SEGMENTS = 1_024;

/** True when the entry at `head` is the job's terminal. */
export async function isLogEnded(kernel: HandlerContext["kernel"], job: JobId, head: number): Promise<boolean> {
  const last = (await kernel.readChunks({ job, after: head - 1, limit: 1 })).at(-1);
  return last !== undefined && endsLog(last);
}

/** True when the places that are kept hold the job's entries, one after the other, from the first to the terminal. */
export async function hasWholeLog({ kernel, session, turns }: HandlerContext, id: JobId): Promise<boolean> {
  const head = (await kernel.readHeads([id])).get(id) ?? 0;
  if (!(await isLogEnded(kernel, id, head))) return false;
  /** The last `job_seq` of a reading that began with the first; undefined when there is none. */
  let reached: number | undefined;
  let after = session.released;
  for (;;) {
    await turns.next(session);
    const segments = await kernel.readSegments(session.id, after, PAGE_SEGMENTS);
    for (const { job, firstJobSeq, lastJobSeq, frame } of segments) {
      if (job !== id || frame !== undefined) continue;
      if (firstJobSeq === 1 || firstJobSeq - 1 === reached) reached = lastJobSeq;
      else reached = undefined;
      if (reached === head) return true;
    }
    const end = segments.at(-1);
    if (end === undefined) return false;
    after = end.lastEventSeq;
  }
}
