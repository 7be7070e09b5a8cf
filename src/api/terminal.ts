/** The entry that ends a job's log, and what it tells. */
import { EVENT_KINDS } from "../protocol/event-kinds.ts";

/** Codes of the entries that end a log. */
export const TERMINAL_CODES = `${EVENT_KINDS.result.code}${EVENT_KINDS.error.code}`;

const BEFORE_RESULT = ',"result":';

/**
 * The inline result within a terminal's payload, as the JSON text that the agent's return became; undefined for none.
 * Cut out and not parsed: numbers keep every digit. Nothing before the result can hold these characters, since quotes
 * within a text are escaped.
 */
export function inlineResult(payload: string): string | undefined {
  const at = payload.indexOf(BEFORE_RESULT);
  return at < 0 ? undefined : payload.slice(at + BEFORE_RESULT.length, -1);
}
