/**
 * For programs (`--json`): one JSON object per line, told apart by `type`: `job`, `event`, then `result`, `error` or
 * `left`. docs/cli.md lists their fields. With `resultOnly` the last one alone.
 */
import type { CliIo } from "../io.ts";
import type { JobView } from "./job-view.ts";
import { jsonLine } from "./sanitize.ts";

/** A value as JSON can carry it: bytes as base64. */
function jsonResult(result: unknown): object {
  if (!(result instanceof Uint8Array)) return { result };
  return { result: Buffer.from(result).toString("base64"), encoding: "base64" };
}

export function createJsonView({ stdout }: CliIo, resultOnly: boolean): JobView {
  let job = {};
  const write = (type: string, fields: object): void => stdout.write(jsonLine({ type, ...job, ...fields }));
  return {
    begin({ id, agent }) {
      job = { job_id: id };
      if (!resultOnly) write("job", { agent });
    },
    event(event) {
      if (resultOnly) return;
      const kind = event.kind === "unknown" ? event.name : event.kind;
      write("event", { job_seq: event.jobSeq, ts: event.ts, kind, body: event.body });
    },
    succeeded(result, savedTo) {
      const content = savedTo === undefined ? jsonResult(result) : { saved_to: savedTo };
      write("result", { final_status: "success", ...content });
    },
    failed({ finalStatus, code, message, retryable, details }) {
      write("error", { final_status: finalStatus, error: { code, message, retryable, details } });
    },
    left: () => write("left", {}),
  };
}
