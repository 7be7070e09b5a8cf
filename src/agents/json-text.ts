/** A value as JSON text, or an error that says what about it cannot be written. */
import { CodedError, type ErrorCode } from "../protocol/errors.ts";

/**
 * @param what names the value in the error, such as `the result`.
 * @returns the text, without line breaks; undefined for `undefined`.
 * @throws CodedError `code` for what JSON cannot hold: BigInt, cycles, functions, symbols, a `toJSON` that throws.
 */
export function toJsonText(value: unknown, what: string, code: ErrorCode): string | undefined {
  if (value === undefined) return undefined;
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    cause = error;
  }
  if (text !== undefined) return text;
  // For a cycle the engine's message goes on for lines, drawing it.
  const reason = cause instanceof Error ? cause.message.split("\n", 1)[0] : `it is a ${typeof value}`;
  throw new CodedError(code, `${what} cannot be written as JSON: ${reason}`, { cause });
}
