/** A streamed result read back from a job's log (§8.4): what its terminal says, and its chunks. */
import type { Timers } from "../../platform/world.ts";
import { EVENT_KINDS } from "../../protocol/event-kinds.ts";
import type { JobId } from "../ids.ts";
import type { Store } from "../ports.ts";
import { lastSeqOf } from "./entry.ts";

/** Entries read at a time: chunks of a result are long, and a page ends at `PAGE_LENGTH` anyway. */
const PAGE_ENTRIES = 256;

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
 * passed over. With a turn of the event loop between pages: looking through a long log takes long.
 */
export async function* readStreamedResult(
  store: Pick<Store, "readChunks">,
  timers: Timers,
  job: JobId,
  resultId: string,
): AsyncGenerator<ResultPiece, void, void> {
  const { code } = EVENT_KINDS.result_chunk;
  for (let after = 0; ; ) {
    const page = await store.readChunks({ job, after, limit: PAGE_ENTRIES, holding: code });
    for (const { kinds, payloads, firstSeq } of page) {
      for (let index = kinds.indexOf(code); index >= 0; index = kinds.indexOf(code, index + 1)) {
        if (firstSeq + index <= after) continue;
        const { body } = JSON.parse(payloads[index] as string);
        if (body.result_id !== resultId) continue;
        yield { data: body.data, encoding: body.encoding };
        if (body.more === false) return;
      }
    }
    const last = page.at(-1);
    if (last === undefined) return;
    after = lastSeqOf(last);
    await new Promise<void>((resolve) => timers.soon(resolve));
  }
}
