/** What is checked of jobs that are asked for, or asked to stop, by a client or by another job. */
import { CodedError } from "../../protocol/errors.ts";

/** Longest key of a delegation or a reservation, in UTF-16 units. */
const MAX_KEY_LENGTH = 256;
/** Of the reason of a cancellation so much is told, in UTF-16 units: it stands in the job's error, which must fit a frame. */
const MAX_REASON_LENGTH = 16_384;

/** Some 31 years: within what dates and timers can express. The same bound as on the wire. */
const MAX_RUNTIME_SEC = 1_000_000_000;

/** @throws CodedError INVALID_REQUEST. */
export function assertRuntime(seconds: number): void {
  if (seconds > 0 && seconds <= MAX_RUNTIME_SEC) return;
  throw new CodedError("INVALID_REQUEST", `max_runtime_sec must be above 0 and at most ${MAX_RUNTIME_SEC} seconds`, {
    details: { field: "max_runtime_sec" },
  });
}

/**
 * An input as JSON text; undefined for no input.
 * @throws CodedError INVALID_REQUEST for what JSON cannot hold.
 */
export function textOf(input: unknown): string | undefined {
  try {
    return JSON.stringify(input);
  } catch (error) {
    throw new CodedError(
      "INVALID_REQUEST",
      "the input cannot be stored as JSON: it nests too deep, or refers to itself",
      { details: { field: "input" }, cause: error },
    );
  }
}

/**
 * A store keeps text as UTF-8, where every half of a character is the same: two keys would be one.
 * @throws CodedError INVALID_REQUEST for what cannot name a delegation or a reservation.
 */
export function assertKey(key: unknown, field: string): string {
  if (typeof key === "string" && key !== "" && key.length <= MAX_KEY_LENGTH && key.isWellFormed()) return key;
  throw new CodedError(
    "INVALID_REQUEST",
    `${field} must be a string of 1 to ${MAX_KEY_LENGTH} characters, without lone surrogates`,
    { details: { field } },
  );
}

/** How the error of a cancelled job ends. A stop is never refused for its reason: one that is too long is cut. */
export function toldReason(reason: string | undefined): string {
  if (reason === undefined) return "";
  const text = String(reason);
  return text.length <= MAX_REASON_LENGTH ? `: ${text}` : `: ${text.slice(0, MAX_REASON_LENGTH).toWellFormed()}…`;
}
