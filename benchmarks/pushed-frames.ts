/** Frames that the bare server pushes: as large as Leasehold's, and numbered, so that the client checks them alike. */

/** Stands before a frame's sending time, in microseconds of this machine's monotonic clock. */
export const SENT_MARK = "sent_us:";

/** Microseconds of the monotonic clock, which all processes of a machine share. */
export function monotonicMicroseconds(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** A numbered frame of `size` characters (ASCII), or a little more when `size` leaves no room for number and time. */
export function pushedFrame(eventSeq: number, size: number, sentAt: number): string {
  const head = `{"type":"job.event","event_seq":${eventSeq},"payload":"${SENT_MARK}${sentAt} `;
  return `${head.padEnd(size - 2, ".")}"}`;
}

/**
 * A server's unmasked WebSocket text frame around `text`, as latin1 characters, so that many can be joined and
 * written at once. @param text ASCII, shorter than 65,536 characters.
 */
export function framed(text: string): string {
  const { length } = text;
  const size = length < 126 ? String.fromCharCode(length) : String.fromCharCode(126, length >> 8, length & 0xff);
  return `\x81${size}${text}`;
}
