/** What the log tells of a result that others made and that may be of any size. */

/** Longest result that is put on the log whole, in UTF-16 units of JSON. Of a longer one its beginning is kept. */
export const MAX_LOGGED_RESULT_LENGTH = 65_536;
const BEGINNING_LENGTH = 4_096;
/** What is longer for certain is not written out to find how long: it would take as long as it likes. In UTF-16 units. */
const MAX_WRITTEN_LENGTH = 2_097_152;

/**
 * The result itself, or what it begins with and, up to two million characters, how long it is. What JSON cannot hold is
 * returned as it is, for its error to be told by whoever writes it.
 */
export function loggedResult(result: unknown): unknown {
  let text: string | undefined;
  try {
    if (leftOf(result, MAX_WRITTEN_LENGTH) < 0) {
      const beginning = JSON.stringify(beginningOf(result, { left: BEGINNING_LENGTH }));
      return { truncated: true, beginning: beginning.slice(0, BEGINNING_LENGTH) };
    }
    text = JSON.stringify(result);
  } catch {
    return result;
  }
  if (text === undefined || text.length <= MAX_LOGGED_RESULT_LENGTH) return result;
  return { truncated: true, length: text.length, beginning: text.slice(0, BEGINNING_LENGTH) };
}

/** Of `room`, what a value leaves at most; below zero, and looked at no further, once it is longer for certain. */
function leftOf(value: unknown, room: number): number {
  if (typeof value === "string") return room - value.length;
  if (typeof value !== "object" || value === null) return room - 1;
  if (ArrayBuffer.isView(value)) return room - value.byteLength;
  let left = room - 2;
  if (Array.isArray(value)) {
    for (let index = 0; left >= 0 && index < value.length; index++) left = leftOf(value[index], left - 1);
    return left;
  }
  const keys = Object.keys(value);
  left -= 4 * keys.length;
  for (let index = 0; left >= 0 && index < keys.length; index++) {
    left = leftOf((value as Readonly<Record<string, unknown>>)[keys[index] as string], left);
  }
  return left;
}

/** As much of a value as the room is for, in the same form. */
function beginningOf(value: unknown, room: { left: number }): unknown {
  room.left--;
  if (typeof value === "string") {
    const beginning = value.slice(0, Math.max(room.left, 0));
    room.left -= beginning.length;
    return beginning;
  }
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return value.subarray(0, Math.max(room.left, 0));
  if ("toJSON" in value) return value;
  if (Array.isArray(value)) {
    const begun: unknown[] = [];
    for (let index = 0; room.left > 0 && index < value.length; index++) begun.push(beginningOf(value[index], room));
    return begun;
  }
  const begun: [string, unknown][] = [];
  for (const key of Object.keys(value)) {
    if (room.left <= 0) break;
    begun.push([key, beginningOf((value as Readonly<Record<string, unknown>>)[key], room)]);
  }
  return Object.fromEntries(begun);
}
