/** Entries of a job's log: the payload text that is stored and spliced into every frame, made exactly once. */
import type { EntryKind } from "../../protocol/event-kinds.ts";
import { EVENT_KINDS } from "../../protocol/event-kinds.ts";
import type { JobRecord } from "../job/job-record.ts";
import type { Chunk } from "../ports.ts";

/** Limits of one stored chunk: small enough to page through, large enough to make a row cheap. */
const MAX_CHUNK_ENTRIES = 256;
const MAX_CHUNK_BYTES = 65_536;

let formattedTime = Number.NaN;
let formattedText = "";

/** ISO 8601 in UTC. Remembers the last answer: entries of one turn mostly share their millisecond. */
export function formatTime(time: number): string {
  if (time !== formattedTime) {
    formattedText = new Date(time).toISOString();
    formattedTime = time;
  }
  return formattedText;
}

/** The payload of a `job.event` (§8.1). `name` must need no escaping; `body` is JSON text. */
export function eventPayload(name: string, time: number, jobSeq: number, body: string): string {
  return `{"kind":"${name}","ts":"${formatTime(time)}","job_seq":${jobSeq},"body":${body}}`;
}

/** The payload of the terminal `job.result` or `job.error` for an ended job. */
export function terminalPayload(job: JobRecord, jobSeq: number): string {
  const { outcome, endedAt } = job;
  if (outcome === null || endedAt === null) throw new Error(`job ${job.id} has no outcome to report`);
  const common = { job_id: job.id, final_status: outcome.status, completed_at: formatTime(endedAt), job_seq: jobSeq };
  if (outcome.status !== "success") return JSON.stringify({ ...common, ...outcome.error });
  const text = JSON.stringify({
    ...common,
    ...(outcome.stream && { result_id: outcome.stream.resultId, result_size: outcome.stream.size }),
    ...(outcome.summary === undefined ? {} : { summary: outcome.summary }),
  });
  // The result is JSON text already: it is put in as it is.
  return outcome.result === undefined ? text : `${text.slice(0, -1)},"result":${outcome.result}}`;
}

/** Entries waiting for their commit. Gives them out as chunks within the limits. */
export class EntryBuffer {
  #firstSeq: number;
  #codes: string[] = [];
  #payloads: string[] = [];
  #bytes = 0;

  /** @param head the `job_seq` of the last entry before the buffer's first. */
  constructor(head: number) {
    this.#firstSeq = head + 1;
  }

  get count(): number {
    return this.#payloads.length;
  }

  /** UTF-16 units, which for payload text is close enough to bytes to bound memory by. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The `job_seq` the next entry gets. */
  get nextSeq(): number {
    return this.#firstSeq + this.#payloads.length;
  }

  push(kind: EntryKind, payload: string): void {
    this.#codes.push(EVENT_KINDS[kind].code);
    this.#payloads.push(payload);
    this.#bytes += payload.length;
  }

  /** Empties the buffer into chunks of `job`'s log. */
  take(job: string): Chunk[] {
    const codes = this.#codes;
    const payloads = this.#payloads;
    const firstSeq = this.#firstSeq;
    if (payloads.length === 0) return [];
    this.#firstSeq = this.nextSeq;
    this.#codes = [];
    this.#payloads = [];
    this.#bytes = 0;

    const chunks: Chunk[] = [];
    let from = 0;
    let bytes = 0;
    for (let index = 0; index < payloads.length; index++) {
      const length = (payloads[index] as string).length;
      const full = index - from === MAX_CHUNK_ENTRIES || (index > from && bytes + length > MAX_CHUNK_BYTES);
      if (full) {
        chunks.push(chunkOf(job, firstSeq, codes, payloads, from, index));
        from = index;
        bytes = 0;
      }
      bytes += length;
    }
    chunks.push(chunkOf(job, firstSeq, codes, payloads, from, payloads.length));
    return chunks;
  }
}

function chunkOf(job: string, firstSeq: number, codes: string[], payloads: string[], from: number, to: number): Chunk {
  const whole = from === 0 && to === payloads.length;
  return {
    job,
    firstSeq: firstSeq + from,
    kinds: (whole ? codes : codes.slice(from, to)).join(""),
    payloads: whole ? payloads : payloads.slice(from, to),
  };
}

/** The `job_seq` of a chunk's last entry. */
export function lastSeqOf(chunk: Chunk): number {
  return chunk.firstSeq + chunk.payloads.length - 1;
}
