/**
 * Reads single fields out of an envelope's text without parsing it: the load client must cost little beside the
 * server it measures. `raw-client.ts` parses a sample of the frames in full and compares.
 */

const EVENT_SEQ = '"event_seq":';
const JOB_EVENT = '"type":"job.event"';
const ZERO = 48;

/** The whole number that follows the first `marker` in `text`; undefined where there is none. */
export function numberAfter(text: string, marker: string): number | undefined {
  const found = text.indexOf(marker);
  if (found < 0) return undefined;
  const start = found + marker.length;
  let value = 0;
  let position = start;
  for (; position < text.length; position++) {
    const digit = text.charCodeAt(position) - ZERO;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  return position === start ? undefined : value;
}

/** The text between the first `marker` and the quote that follows it; undefined where there is none, or it has escapes. */
export function textAfter(text: string, marker: string): string | undefined {
  const found = text.indexOf(marker);
  if (found < 0) return undefined;
  const start = found + marker.length;
  const end = text.indexOf('"', start);
  const between = end < 0 ? "\\" : text.slice(start, end);
  return between.includes("\\") ? undefined : between;
}

/** The job that an envelope is about. */
export function jobIdOf(frame: string): string | undefined {
  return textAfter(frame, '"job_id":"');
}

/** The request that a `job.accepted` answers; undefined for every other message. */
export function acceptedRequestOf(frame: string): string | undefined {
  return frame.includes('"type":"job.accepted"') ? textAfter(frame, '"request_id":"') : undefined;
}

/** The envelope's place in its session's stream (§8.3); undefined for messages that have none. */
export function eventSeqOf(frame: string): number | undefined {
  return numberAfter(frame, EVENT_SEQ);
}

/** Whether the envelope is a `job.event`; among those with an `event_seq`, the others are terminals. */
export function isJobEvent(frame: string): boolean {
  return frame.includes(JOB_EVENT);
}
