/** Which tool calls of a job have no result on its log: those that were under way when the process died. */
import type { Timers } from "../../platform/world.ts";
import { EVENT_KINDS } from "../../protocol/event-kinds.ts";
import type { JobId } from "../ids.ts";
import { readLog } from "../log/read-log.ts";
import type { Store } from "../ports.ts";

const CALL = EVENT_KINDS.tool_call.code;
const RESULT = EVENT_KINDS.tool_result.code;

/**
 * `call_id`s in the order of the calls. Reads the log's chunks that hold calls or results, and no others.
 * @param head the `job_seq` of the log's last entry.
 */
export async function readOpenCalls(
  store: Pick<Store, "readChunks">,
  timers: Timers,
  job: JobId,
  head: number,
): Promise<readonly string[]> {
  const open = new Set<string>();
  for await (const { kinds, payloads } of readLog(store, timers, {
    job,
    after: 0,
    upTo: head,
    holding: CALL + RESULT,
  })) {
    for (const [index, payload] of payloads.entries()) {
      const code = kinds.charAt(index);
      if (code !== CALL && code !== RESULT) continue;
      const { body } = JSON.parse(payload) as { body: { call_id: string } };
      if (code === CALL) open.add(body.call_id);
      else open.delete(body.call_id);
    }
  }
  return [...open];
}
