/** Where in a job's log a place of this very session's stream lies: what a client that kept only `event_seq`s asks with. */
import type { JobId } from "../../kernel/ids.ts";
import type { HandlerContext } from "./handler.ts";

/** Entries read at a time. */
const PAGE_ENTRIES = 1_024;

/**
 * The `job_seq` of the entry of this job at a place of the session's stream; undefined when the place is none of this
 * job's, or is not kept any more.
 */
export async function jobSeqAt(
  { kernel, session, turns }: Pick<HandlerContext, "kernel" | "session" | "turns">,
  job: JobId,
  eventSeq: number,
): Promise<number | undefined> {
  const { stream } = session;
  if (eventSeq < 1 || eventSeq > stream.head) return undefined;
  const [segment] = await kernel.readSegments(session.id, eventSeq - 1, 1);
  if (segment === undefined || segment.job !== job || segment.firstEventSeq > eventSeq) return undefined;
  // What is no entry of the log lies after the entries of the job that the stream had by then: as good as none.
  if (segment.frame !== undefined) return undefined;
  let place = segment.firstEventSeq - 1;
  let after = segment.firstJobSeq - 1;
  while (after < segment.lastJobSeq) {
    const chunks = await kernel.readChunks({ job, after, upTo: segment.lastJobSeq, limit: PAGE_ENTRIES });
    for (const { firstSeq, kinds } of chunks) {
      for (let index = Math.max(0, after + 1 - firstSeq); index < kinds.length; index++) {
        after = firstSeq + index;
        place += stream.countVisible(kinds.charAt(index));
        if (place === eventSeq) return after;
      }
    }
    if (chunks.length === 0) return undefined;
    await turns.next(session);
  }
  return undefined;
}
