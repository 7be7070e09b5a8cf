/**
 * Lines to one reader for as long as there are any. What comes in one turn leaves in one write; a reader that does not
 * keep up is waited for, so that it costs its place in the source and no memory; a silent stretch is broken by blank
 * lines, which readers skip.
 */
import type { ServerResponse } from "node:http";
import type { Timer, Timers } from "../platform/world.ts";
import { STALLED_READER_MS } from "./long-answers.ts";

/** A blank line goes out when nothing else has for this long: proxies close what is silent. */
export const BLANK_LINE_EVERY_MS = 15_000;
/** Text is handed to the socket when there is this much, in UTF-16 units, or when the turn ends. */
const WRITE_LENGTH = 65_536;
/** Steps of the source after which others get their turn, whether or not anything was written. */
const STEPS_PER_TURN = 16;

/**
 * Sends `source`, each piece of which is whole lines or nothing, and ends the answer when it ends, however it ends.
 * Resolves then, or when the reader has gone. The head of the answer has been written.
 * @param signal once it aborts, what `source` still has is sent without waiting for the reader.
 * @throws whatever `source` throws.
 */
export async function sendLines(
  response: ServerResponse,
  source: AsyncIterable<string>,
  timers: Timers,
  signal: AbortSignal,
): Promise<void> {
  let gathered = "";
  let flushing = false;
  let quiet: Timer | undefined;
  let drained: PromiseWithResolvers<void> | undefined;

  const waitQuietly = (): void => {
    quiet?.cancel();
    quiet = timers.after(BLANK_LINE_EVERY_MS, () => {
      // To a reader that is behind already nothing is added.
      if (drained === undefined && !response.destroyed) write("\n");
      else waitQuietly();
    });
  };
  const write = (text: string): void => {
    waitQuietly();
    if (!response.write(text)) drained ??= Promise.withResolvers();
  };
  const flush = (): void => {
    flushing = false;
    if (gathered === "" || response.destroyed) return;
    const text = gathered;
    gathered = "";
    write(text);
  };
  const wake = (): void => {
    drained?.resolve();
    drained = undefined;
  };
  response.on("drain", wake);
  response.on("close", wake);
  signal.addEventListener("abort", wake);

  const giveUpLater = (): Timer => timers.after(STALLED_READER_MS, () => response.destroy());
  /** False when the reader is gone, or has been given up. */
  const reads = async (): Promise<boolean> => {
    if (drained !== undefined && !response.destroyed && !signal.aborted) {
      const stalled = giveUpLater();
      await drained.promise;
      stalled.cancel();
    }
    return !response.destroyed;
  };

  waitQuietly();
  let steps = 0;
  try {
    for await (const text of source) {
      gathered += text;
      if (gathered.length >= WRITE_LENGTH) flush();
      else if (!flushing && gathered !== "") {
        flushing = true;
        timers.soon(flush);
      }
      if (!(await reads())) return;
      if (++steps % STEPS_PER_TURN === 0) await new Promise<void>((resolve) => timers.soon(resolve));
    }
  } finally {
    flush();
    quiet?.cancel();
    response.off("drain", wake);
    response.off("close", wake);
    signal.removeEventListener("abort", wake);
    if (!response.destroyed) {
      // The end has to be taken, too.
      const stalled = giveUpLater();
      response.once("close", () => stalled.cancel());
      response.end(() => stalled.cancel());
    }
  }
}
