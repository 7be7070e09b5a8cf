/** JSON lines over the pipe. Lines of one turn leave in one write; who writes more than the other side reads waits. */
import type { Duplex } from "node:stream";
import { LineSplitter } from "../../transports/line-splitter.ts";

export interface LineWriter {
  /** Sends JSON text, which has no line breaks. Returns undefined while the other side keeps up, else a promise of room. */
  send(text: string): Promise<void> | undefined;
  /** Resolves once everything sent so far was handed to the system. */
  flushed(): Promise<void>;
}

/** What may wait to be written, in UTF-16 units, before `send` asks to wait. */
const MAX_WAITING_LENGTH = 262_144;

export function createLineWriter(stream: Duplex): LineWriter {
  let lines = "";
  let waiting = 0;
  let room: PromiseWithResolvers<void> | undefined;

  function write(): void {
    const text = lines;
    lines = "";
    if (stream.destroyed || stream.writableEnded) return;
    stream.write(text, () => {
      waiting -= text.length;
      if (waiting >= MAX_WAITING_LENGTH) return;
      room?.resolve();
      room = undefined;
    });
  }
  // What waits for a pipe that is gone does not hold anyone up.
  stream.on("close", () => room?.resolve());

  return {
    send(text) {
      if (stream.destroyed) return undefined;
      if (lines === "") process.nextTick(write);
      lines += `${text}\n`;
      waiting += text.length + 1;
      if (waiting < MAX_WAITING_LENGTH) return undefined;
      room ??= Promise.withResolvers();
      return room.promise;
    },
    flushed: () => new Promise((resolve) => stream.write("", () => resolve())),
  };
}

/**
 * Hands each line that comes in to `take`, in order; while a promise of `take` is open nothing more is read. Resolves at
 * the end of the stream.
 * @param turn awaited after each piece that was read, so that whoever sends without end does not hold others up.
 * @throws LineError for a line longer than `maxBytes` or not in UTF-8; whatever `take` threw, and how the stream failed.
 */
export async function readLines(
  stream: Duplex,
  maxBytes: number,
  take: (line: string) => Promise<void> | undefined,
  turn?: () => Promise<void>,
): Promise<void> {
  const lines = new LineSplitter(maxBytes);
  for await (const piece of stream) {
    for (const line of lines.split(piece as Uint8Array)) {
      const taken = take(line);
      if (taken !== undefined) await taken;
    }
    if (turn !== undefined) await turn();
  }
}
