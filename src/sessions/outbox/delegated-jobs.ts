/**
 * Children in the stream of the session that submitted their tree (§10), for sessions with `x-leasehold.delegation`.
 * A `delegate` entry of a parent that the session may cancel brings the child's `job.accepted` right behind it, as a frame
 * with a place of its own, and makes the session follow the child; both in the commit that places the entry. So whatever
 * way the entry comes into the stream (live, caught up with, after a restart), the child comes with it, once.
 */
import type { JobId, SessionId } from "../../kernel/ids.ts";
import type { JobRecord } from "../../kernel/job/job-record.ts";
import type { Chunk } from "../../kernel/ports.ts";
import { EVENT_KINDS } from "../../protocol/event-kinds.ts";
import { acceptedPayload } from "../job-view.ts";
import { placedMessageId } from "./event-frames.ts";

const { code: DELEGATE } = EVENT_KINDS.delegate;

/** Consecutive entries of one log: up to, and with, the one that tells of `child`; or the rest, which tells of none. */
export interface Run {
  readonly chunks: readonly Chunk[];
  readonly child: JobId | undefined;
}

export function tellsOfChildren(chunks: readonly Chunk[]): boolean {
  return chunks.some(({ kinds }) => kinds.includes(DELEGATE));
}

/** The entries, parted behind each that tells of a child. */
export function runsOf(chunks: readonly Chunk[]): readonly Run[] {
  const runs: Run[] = [];
  let run: Chunk[] = [];
  for (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.kinds.indexOf(DELEGATE); at >= 0; at = chunk.kinds.indexOf(DELEGATE, from)) {
      run.push(part(chunk, from, at + 1));
      runs.push({ chunks: run, child: JSON.parse(chunk.payloads[at] ?? "").body.child_job_id });
      run = [];
      from = at + 1;
    }
    if (from < chunk.kinds.length) run.push(part(chunk, from, chunk.kinds.length));
  }
  if (run.length > 0) runs.push({ chunks: run, child: undefined });
  return runs;
}

function part(chunk: Chunk, from: number, to: number): Chunk {
  if (from === 0 && to === chunk.kinds.length) return chunk;
  const { job, firstSeq, kinds, payloads } = chunk;
  return { job, firstSeq: firstSeq + from, kinds: kinds.slice(from, to), payloads: payloads.slice(from, to) };
}

/** The text of the frame that tells a session of a child. No entry of the child's log has its id, for they begin at 1. */
export function childAcceptedFrame(session: SessionId, child: JobRecord, eventSeq: number): string {
  return JSON.stringify({
    arcp: "1.1",
    type: "job.accepted",
    session_id: session,
    job_id: child.id,
    trace_id: child.traceId,
    id: placedMessageId(child.id, 0),
    event_seq: eventSeq,
    payload: acceptedPayload(child),
  });
}
