/** Content that goes through the pipe in pieces, put together again. */
import { Violation } from "./violation.ts";

/** @throws Violation for more than `maxBytes`; what reading `content` threw. */
export async function collect(content: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of content) {
    size += piece.length;
    if (size > maxBytes) throw new Violation(`more than ${maxBytes} bytes at once`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces, size);
}
