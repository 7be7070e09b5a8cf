/**
 * What a client is told that does not keep up (§6.5): a `status` event of the phase `back_pressure`, in the session's
 * stream and not on the job's log. It has a place of its own, kept with its text, so that a replay gives it again; the
 * job's other followers, and its log, know nothing of it. It carries no `job_seq`. It names the job whose events came
 * last. A message outside the stream would need a type that clients of the draft do not know; this one is the draft's.
 */
import type { SessionId } from "../../kernel/ids.ts";
import { formatTime } from "../../kernel/log/entry.ts";
import type { FramedJob } from "./event-frames.ts";

/** A session is told at most this often. */
export const TELL_EVERY_MS = 30_000;

/** `unread`: more than 1 MiB waits for the client to read it. `unacknowledged`: it acknowledges too late. */
export type LagReason = "unread" | "unacknowledged";

/** That a client lags, while it has not been told. */
export interface Lagging {
  readonly reason: LagReason;
  /** Events sent and not acknowledged. */
  readonly unacknowledged: number;
  readonly job: FramedJob;
}

const MESSAGES: { readonly [Reason in LagReason]: string } = {
  unread: "this session is sent events faster than it reads them; they wait in the runtime's store",
  unacknowledged: "this session acknowledges events late; what is not acknowledged is kept for it only up to a limit",
};

/** The text of the frame. `id` is its envelope's. */
export function backPressureFrame(
  session: SessionId,
  { reason, unacknowledged, job }: Lagging,
  place: { readonly id: string; readonly eventSeq: number; readonly now: number },
): string {
  return JSON.stringify({
    arcp: "1.1",
    type: "job.event",
    session_id: session,
    job_id: job.id,
    trace_id: job.traceId,
    id: place.id,
    event_seq: place.eventSeq,
    payload: {
      kind: "status",
      ts: formatTime(place.now),
      body: { phase: "back_pressure", message: MESSAGES[reason], reason, unacknowledged },
    },
  });
}
