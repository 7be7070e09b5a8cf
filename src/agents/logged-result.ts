/** What the log tells of a result that others made and that may be of any size. */

/** Longest result that is put on the log whole, in UTF-16 units of JSON. Of a longer one its beginning is kept. */
export const MAX_LOGGED_RESULT_LENGTH = 65_536;
const BEGINNING_LENGTH = 4_096;

/**
 * The result itself, or what it begins with. What JSON cannot hold is returned as it is, for its error to be told by whoever
 * writes it.
 */
export function loggedResult(result: unknown): unknown {
  let text: string | undefined;
  try {
    text = JSON.stringify(result);
  } catch {
    return result;
  }
  if (text === undefined || text.length <= MAX_LOGGED_RESULT_LENGTH) return result;
  return { truncated: true, length: text.length, beginning: text.slice(0, BEGINNING_LENGTH) };
}
