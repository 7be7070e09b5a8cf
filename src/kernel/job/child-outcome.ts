/** How a delegated job ended, read back from its log for the agent that delegated it. */
import type { Timers } from "../../platform/world.ts";
import { CodedError, type ErrorBody } from "../../protocol/errors.ts";
import type { JobId } from "../ids.ts";
import { readStreamedResult, streamedTerminal } from "../log/streamed-result.ts";
import type { Store } from "../ports.ts";

/** Longest streamed result that is put together for a parent, in bytes: both live in this process. */
const MAX_STREAMED_BYTES = 67_108_864;

type Readable = Pick<Store, "readLatest" | "readChunks" | "readHeads">;

/**
 * What the job returned: its value, `undefined` for none; a streamed result whole, as text (utf8) or bytes (base64).
 * @throws CodedError with which it ended, and `details.job_id`; INVALID_REQUEST for a streamed result of more than 64 MiB;
 * INTERNAL_ERROR when its terminal is not there.
 */
export async function readChildOutcome(store: Readable, timers: Timers, job: JobId): Promise<unknown> {
  const terminal = await store.readLatest(job, "RE");
  if (terminal === undefined) {
    throw new CodedError("INTERNAL_ERROR", `the end of the delegated job ${job} cannot be read`);
  }
  if (terminal.code === "E") {
    const { code, message, retryable, details } = JSON.parse(terminal.payload) as ErrorBody;
    throw new CodedError(code, message, { retryable, details: { ...details, job_id: job } });
  }
  const streamed = streamedTerminal(terminal.payload);
  if (streamed === undefined) return (JSON.parse(terminal.payload) as { readonly result?: unknown }).result;
  const { result_size: bytesInAll } = streamed;
  if (bytesInAll > MAX_STREAMED_BYTES) {
    throw new CodedError(
      "INVALID_REQUEST",
      `the delegated job ${job} streamed ${bytesInAll} bytes; a parent is given at most ${MAX_STREAMED_BYTES}: let it keep an artifact, and return what it is called`,
      { details: { bytes: bytesInAll, limit: MAX_STREAMED_BYTES, job_id: job } },
    );
  }
  let text = "";
  const bytes: Uint8Array[] = [];
  for await (const { data, encoding } of readStreamedResult(store, timers, job, streamed.result_id)) {
    if (encoding === "utf8") text += data;
    else bytes.push(Buffer.from(data, "base64"));
  }
  return bytes.length === 0 ? text : new Uint8Array(Buffer.concat(bytes));
}
