/** A result that is returned whole, as the JSON text that goes on the log. */
import type { AgentReturn } from "../kernel/agents-port.ts";
import { CodedError } from "../protocol/errors.ts";
import { toJsonText } from "./json-text.ts";

/** Largest result given whole, in bytes of JSON: with its envelope about what one frame may hold. */
export const MAX_INLINE_RESULT_BYTES = 1_048_576;

/**
 * @param agent `name@version`, for the message.
 * @throws CodedError INTERNAL_ERROR for what JSON cannot hold, or what is too large.
 */
export function inlineReturn(agent: string, value: unknown): AgentReturn {
  const result = toJsonText(value, `the result of ${agent}`, "INTERNAL_ERROR");
  if (result === undefined) return {};
  // No text has more bytes than three for each of its units: the count is needed only close to the limit.
  if (result.length * 3 > MAX_INLINE_RESULT_BYTES) {
    const bytes = Buffer.byteLength(result);
    if (bytes > MAX_INLINE_RESULT_BYTES) {
      throw new CodedError(
        "INTERNAL_ERROR",
        `the result of ${agent} has ${bytes} bytes, and at most ${MAX_INLINE_RESULT_BYTES} can be returned whole: use ctx.streamResult()`,
        { details: { bytes, limit: MAX_INLINE_RESULT_BYTES } },
      );
    }
  }
  return { result };
}
