/** Whether a session's stream holds the log of an ended job already, as after an answer to its key that was lost. */
import type { JobRecord } from "../../kernel/job/job-record.ts";
import { isTerminal } from "../../kernel/job/job-state.ts";
import type { HandlerContext } from "./handler.ts";

/** Segments looked through at a time. */
const PAGE_SEGMENTS = 1_024;

/** True when the places that are kept hold the job's entries from the first to the terminal. */
export async function hasWholeLog({ kernel, session }: HandlerContext, { id, status }: JobRecord): Promise<boolean> {
  if (!isTerminal(status)) return false;
  const head = (await kernel.readHeads([id])).get(id) ?? 0;
  let fromStart = false;
  let after = session.released;
  for (;;) {
    const segments = await kernel.readSegments(session.id, after, PAGE_SEGMENTS);
    for (const { job, firstJobSeq, lastJobSeq } of segments) {
      if (job !== id) continue;
      if (firstJobSeq === 1) fromStart = true;
      if (lastJobSeq === head) return fromStart;
    }
    const last = segments.at(-1);
    if (last === undefined) return false;
    after = last.lastEventSeq;
  }
}
