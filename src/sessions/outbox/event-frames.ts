/**
 * Frames of one job's log in one session's stream. A frame is the stored payload spliced between fixed text and two
 * numbers: nothing is serialised again, and the same place gives the same bytes on every replay.
 */
import type { JobId } from "../../kernel/ids.ts";
import type { JobRecord } from "../../kernel/job/job-record.ts";
import { encodeBase32 } from "../../platform/ulid.ts";
import { messageOfCode } from "../../protocol/event-kinds.ts";

/** Time part and half of the random part of the job's ULID; the other half of an event's id is its `job_seq`. */
const SHARED_ID_LENGTH = 18;
const SEQ_ID_LENGTH = 8;

/** What of a job its frames need. */
export type FramedJob = Pick<JobRecord, "id" | "traceId">;

export class EventFrames {
  /** What follows the type in each frame. */
  readonly #common: string;
  /** Made with the first event: many a job has none. */
  #event: string | undefined;

  constructor(session: string, job: FramedJob) {
    this.#common =
      `"session_id":${JSON.stringify(session)},"job_id":${JSON.stringify(job.id)},"trace_id":${JSON.stringify(job.traceId)},` +
      `"id":"${sharedId(job.id)}`;
  }

  /** The frame of the entry with this kind code and payload, at these positions of its job and its session. */
  frame(code: string, payload: string, jobSeq: number, eventSeq: number): string {
    const message = messageOfCode(code);
    if (message === "job.event") this.#event ??= this.#head(message);
    const head = message === "job.event" ? this.#event : this.#head(message);
    return `${head}${encodeBase32(jobSeq, SEQ_ID_LENGTH)}","event_seq":${eventSeq},"payload":${payload}}`;
  }

  #head(message: string): string {
    return `{"arcp":"1.1","type":"${message}",${this.#common}`;
  }
}

/** The envelope's id of the entry at `jobSeq` of a job's log, the same in every session. 0 is no entry's. */
export function placedMessageId(job: JobId, jobSeq: number): string {
  return sharedId(job) + encodeBase32(jobSeq, SEQ_ID_LENGTH);
}

function sharedId(job: JobId): string {
  const ulid = job.slice(job.indexOf("_") + 1);
  return `msg_${ulid.slice(0, SHARED_ID_LENGTH)}`;
}
