/** Whether a session's stream holds the log of an ended job already, as after an answer to its key that was lost. */
import type { JobId } from "../../kernel/ids.ts";
import { lastSeqOf } from "../../kernel/log/entry.ts";
import { endsLog } from "../../kernel/log/follow.ts";
import type { SessionStream } from "../outbox/session-stream.ts";
import type { HandlerContext } from "./handler.ts";

/** Entries of a gap looked through at a time. */
const PAGE_ENTRIES = 1_024;
/** Segments looked through at a time. */
const PAGE_SEGMENTS = 1_024;

/** True when the entry at `head` is the job's terminal. */
export async function isLogEnded(kernel: HandlerContext["kernel"], job: JobId, head: number): Promise<boolean> {
  const last = (await kernel.readChunks({ job, after: head - 1, limit: 1 })).at(-1);
  return last !== undefined && endsLog(last);
}

/**
 * True when the places that are kept hold the job's entries, one after the other, from the first to the terminal, but for
 * those that the session does not see.
 */
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
      const goesOn = await isHidden(kernel, session.stream, id, reached ?? 0, firstJobSeq - 1);
      const begins =
        goesOn || (reached !== undefined && (await isHidden(kernel, session.stream, id, 0, firstJobSeq - 1)));
      reached = begins ? lastJobSeq : undefined;
      if (reached === head) return true;
    }
    const end = segments.at(-1);
    if (end === undefined) return false;
    after = end.lastEventSeq;
  }
}

/** True when the session sees none of a job's entries after `after` and up to `upTo`, which take no places then. */
async function isHidden(
  kernel: HandlerContext["kernel"],
  stream: SessionStream,
  job: JobId,
  after: number,
  upTo: number,
): Promise<boolean> {
  if (upTo < after) return false;
  let from = after;
  while (from < upTo) {
    const chunks = await kernel.readChunks({ job, after: from, upTo, limit: PAGE_ENTRIES });
    const last = chunks.at(-1);
    if (last === undefined) return false;
    for (const { firstSeq, kinds } of chunks) {
      if (stream.countVisible(kinds.slice(Math.max(0, from + 1 - firstSeq), upTo + 1 - firstSeq)) > 0) return false;
    }
    from = lastSeqOf(last);
  }
  return true;
}
