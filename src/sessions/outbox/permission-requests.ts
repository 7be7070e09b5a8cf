/**
 * What a job asks people for, as the `permission.request` of sessions with `x-leasehold.permissions` that may cancel the job.
 * It is made of the log's own event, and comes right before that in the same write. So it needs no place of its own: it is
 * durable with the event, a client that has the event has the request too, and one that resumes before it is sent both
 * again. A replay may therefore tell of a request that has been decided since: the decision is a later event of the log.
 */
import type { SessionId } from "../../kernel/ids.ts";
import { EVENT_KINDS } from "../../protocol/event-kinds.ts";
import { PERMISSION_EVENT } from "../../protocol/permission-messages.ts";
import { type FramedJob, placedMessageId } from "./event-frames.ts";

/** Code of the entries among which requests are. */
export const { code: VENDOR } = EVENT_KINDS.vendor;
/** How the payload of every such entry begins. */
const BEGINNING = `{"kind":"${PERMISSION_EVENT}",`;
/** Apart from the place of any entry, of which a log never has as many: ids of requests are no event's. */
const REQUEST_IDS = 2 ** 39;

/** The text of the request that a vendor's entry tells of; undefined when it tells of none. */
export function permissionRequestFrame(
  session: SessionId,
  job: FramedJob,
  payload: string,
  jobSeq: number,
): string | undefined {
  if (!payload.startsWith(BEGINNING)) return undefined;
  const { state, ...request } = JSON.parse(payload).body;
  if (state !== "pending") return undefined;
  return JSON.stringify({
    arcp: "1.1",
    type: "permission.request",
    session_id: session,
    job_id: job.id,
    trace_id: job.traceId,
    id: placedMessageId(job.id, REQUEST_IDS + jobSeq),
    payload: { ...request, job_id: job.id },
  });
}
