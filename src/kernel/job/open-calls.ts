/** Which tool calls of a job have no result on its log: those that were under way when the process died. */
import { EVENT_KINDS } from "../../protocol/event-kinds.ts";
import type { JobId } from "../ids.ts";
import { lastSeqOf } from "../log/entry.ts";
import type { Store } from "../ports.ts";

const CALL = EVENT_KINDS.tool_call.code;
const RESULT = EVENT_KINDS.tool_result.code;
/** Entries read at a time. */
const PAGE_ENTRIES = 1_024;

/** `call_id`s in the order of the calls. Reads the log's chunks that hold calls or results, and no others. */
export async function readOpenCalls(store: Pick<Store, "readChunks">, job: JobId): Promise<readonly string[]> {
  const open = new Set<string>();
  for (let after = 0; ; ) {
    const page = await store.readChunks({ job, after, limit: PAGE_ENTRIES, holding: CALL + RESULT });
    const last = page.at(-1);
    if (last === undefined) return [...open];
    for (const { kinds, payloads } of page) {
      for (const [index, payload] of payloads.entries()) {
        const code = kinds.charAt(index);
        if (code !== CALL && code !== RESULT) continue;
        const { body } = JSON.parse(payload) as { body: { call_id: string } };
        if (code === CALL) open.add(body.call_id);
        else open.delete(body.call_id);
      }
    }
    after = lastSeqOf(last);
  }
}
