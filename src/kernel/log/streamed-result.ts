/** A streamed result read back from a job's log (§8.4): what its terminal says, and its chunks. */
import type { Timers } from "../../platform/world.ts";
import { EVENT_KINDS } from "../../protocol/event-kinds.ts";
import type { JobId } from "../ids.ts";
import type { Store } from "../ports.ts";
import { readLog } from "./read-log.ts";

/** The payload of the `job.result` of a streamed result. */
export interface StreamedTerminal {
  readonly result_id: string;
  /** Bytes of data. */
  readonly result_size: number;
  readonly [field: string]: unknown;
}

/** The data of one chunk. */
export interface ResultPiece {
  readonly data: string;
  readonly encoding: "utf8" | "base64";
}

/** How `terminalPayload` begins for a streamed result, and for nothing else: an inline result stands at the end. */
const STREAMED_TERMINAL = /^\{(?:"\w+":(?:"[^"\\]*"|\d+),)*?"result_id":/;

/** The payload of a terminal read back, if it is of a streamed result. Costs little for an inline one of any size. */
export function streamedTerminal(payload: string): StreamedTerminal | undefined {
  return STREAMED_TERMINAL.test(payload) ? (JSON.parse(payload) as StreamedTerminal) : undefined;
}

/**
 * The chunks of one result, in order, the last one's included. What a lost attempt left on the log has another id and is
 * passed over.
 */
export async function* readStreamedResult(
  store: Pick<Store, "readChunks" | "readHeads">,
  timers: Timers,
  job: JobId,
  resultId: string,
): AsyncGenerator<ResultPiece, void, void> {
  const { code } = EVENT_KINDS.result_chunk;
  const upTo = (await store.readHeads([job])).get(job) ?? 0;
  for await (const { kinds, payloads } of readLog(store, timers, { job, after: 0, upTo, holding: code })) {
    for (let index = kinds.indexOf(code); index >= 0; index = kinds.indexOf(code, index + 1)) {
      const { body } = JSON.parse(payloads[index] as string);
      if (body.result_id !== resultId) continue;
      yield { data: body.data, encoding: body.encoding };
      if (body.more === false) return;
    }
  }
}
