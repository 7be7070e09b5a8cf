/**
 * Where lines go while a job is followed. On a terminal lines that are redrawn stay at the bottom, below all others;
 * elsewhere there are no such lines, and no control sequence either.
 */
import type { Timer, Timers } from "../../platform/world.ts";
import type { Output } from "../io.ts";

export interface Screen {
  /** @param text one line, safe to print (`sanitize.ts`). */
  line(text: string): void;
  /**
   * What stands at the bottom, one line or a few, drawn for the width of the moment; undefined, or "", for nothing. Of more
   * lines than the terminal has, the first ones are shown.
   */
  bottom(draw: ((width: number) => string) | undefined): void;
  /** Prints what is still due and removes what stands at the bottom. Nothing may be written after. */
  close(): void;
}

/** A terminal is written to at most this often, so that a job's speed never becomes flicker. */
const FRAME_MS = 50;
const DEFAULT_WIDTH = 80;
const DEFAULT_HEIGHT = 24;
/** At the end of the bottom line: a character in the last column makes some terminals wrap, and so does the `^C` they echo. */
const FREE_COLUMNS = 3;
/** Back to the first column, and clear the line. */
const CLEAR_LINE = "\r\u001b[2K";
/** The same with the line above. */
const CLEAR_LINE_ABOVE = "\u001b[1A\u001b[2K";

export function createScreen(output: Output, timers: Timers): Screen {
  return output.live ? createLiveScreen(output, timers) : createPlainScreen(output);
}

function createPlainScreen(output: Output): Screen {
  return { line: (text) => output.write(`${text}\n`), bottom: () => {}, close: () => {} };
}

function createLiveScreen(output: Output, timers: Timers): Screen {
  let lines = "";
  let drawBottom: ((width: number) => string) | undefined;
  /** Lines at the bottom. */
  let bottomShown = 0;
  let changed = false;
  let pause: Timer | undefined;

  function draw(): void {
    changed = false;
    const drawn = drawBottom?.((output.width() ?? DEFAULT_WIDTH) - FREE_COLUMNS) ?? "";
    // The cursor never gets above the terminal's first line: what stood there could not be cleared.
    const shown = drawn.split("\n").slice(0, Math.max(1, (output.height() ?? DEFAULT_HEIGHT) - 1));
    const bottom = shown.join("\n");
    const clear = bottomShown === 0 ? "" : CLEAR_LINE + CLEAR_LINE_ABOVE.repeat(bottomShown - 1);
    output.write(`${clear}${lines}${bottom}`);
    bottomShown = bottom === "" ? 0 : shown.length;
    lines = "";
  }

  /** Draws now, unless the last frame is too young: then once it is old enough. */
  function change(): void {
    changed = true;
    if (pause !== undefined) return;
    draw();
    pause = timers.after(FRAME_MS, () => {
      pause = undefined;
      if (changed) change();
    });
  }

  return {
    line(text) {
      lines += `${text}\n`;
      change();
    },
    bottom(next) {
      if (next === undefined && drawBottom === undefined) return;
      drawBottom = next;
      change();
    },
    close() {
      pause?.cancel();
      drawBottom = undefined;
      if (changed || bottomShown > 0) draw();
    },
  };
}
