/** Times as callers give them, as the wire has them: ISO 8601. */

/** @throws RangeError when it is an invalid `Date`. */
export function timeText(time: Date | string | undefined): string | undefined {
  return time instanceof Date ? time.toISOString() : time;
}
