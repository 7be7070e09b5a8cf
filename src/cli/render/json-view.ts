/**
 * For programs (`--json`): one JSON object per line, told apart by `type`: `job`, `event` and, of what the job delegates,
 * `child` and `child_ended`; then `result`, `error` or `left`. docs/cli.md lists their fields. With `resultOnly` the last one
 * alone.
 */
import type { JobEvent } from "../../client/job.ts";
import type { CliIo } from "../io.ts";
import type { ChildrenView, JobView } from "./job-view.ts";
import { jsonLine } from "./sanitize.ts";

/** A value as JSON can carry it: bytes as base64. */
function jsonResult(result: unknown): object {
  if (!(result instanceof Uint8Array)) return { result };
  return { result: Buffer.from(result).toString("base64"), encoding: "base64" };
}

function eventFields(event: JobEvent): object {
  const kind = event.kind === "unknown" ? event.name : event.kind;
  return { job_seq: event.jobSeq, ts: event.ts, kind, body: event.body };
}

function childrenView(stdout: CliIo["stdout"]): ChildrenView {
  const write = (type: string, fields: object): void => stdout.write(jsonLine({ type, ...fields }));
  return {
    begin: ({ id, agent, parentId, delegateId }) =>
      write("child", { job_id: id, agent, parent_job_id: parentId, delegate_id: delegateId }),
    event: (id, event) => write("event", { job_id: id, ...eventFields(event) }),
    ended(id, { finalStatus, failure }) {
      const { code, message, retryable, details } = failure ?? {};
      const error = failure === undefined ? {} : { error: { code, message, retryable, details } };
      write("child_ended", { job_id: id, final_status: finalStatus, ...error });
    },
  };
}

export function createJsonView({ stdout }: CliIo, resultOnly: boolean): JobView {
  let job = {};
  const write = (type: string, fields: object): void => stdout.write(jsonLine({ type, ...job, ...fields }));
  return {
    ...(resultOnly ? {} : { children: childrenView(stdout) }),
    begin({ id, agent }) {
      job = { job_id: id };
      if (!resultOnly) write("job", { agent });
    },
    event(event) {
      if (resultOnly) return;
      write("event", eventFields(event));
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
