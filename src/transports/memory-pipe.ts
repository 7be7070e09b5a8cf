/** One direction of a memory connection: frames put in come out in a later turn, in order, and an end after the last. */
import type { Timers } from "../platform/world.ts";

export interface MemoryPipeHandlers {
  /** `bytes` is the frame's length in UTF-8. */
  arrived(text: string, bytes: number): void;
  /** Called once; nothing arrives after it. */
  ended(code: number, reason: string): void;
  /** A turn's deliveries are done. */
  rested?(): void;
}

export interface MemoryPipe {
  /** Returns the frame's length in bytes; 0 when the pipe is ending and takes nothing more. */
  put(text: string): number;
  /** Lets what is in the pipe arrive, then ends it. Only the first end counts. */
  end(code: number, reason: string): void;
  /** Loses all but the first `keep` frames, and ends after these. No effect once ended. */
  cut(keep: number, code: number, reason: string): void;
  /** Delivers nothing until `release`. */
  hold(): void;
  release(): void;
  /** Frames in the pipe. */
  readonly length: number;
  /** Their bytes. */
  readonly bytes: number;
  /** True once nothing more can be put in. */
  readonly isEnding: boolean;
}

export function createMemoryPipe(timers: Timers, handlers: MemoryPipeHandlers): MemoryPipe {
  let frames: { readonly text: string; readonly bytes: number }[] = [];
  let bytes = 0;
  let ending: { readonly code: number; readonly reason: string } | undefined;
  let isOver = false;
  let isHeld = false;
  let isScheduled = false;

  function schedule(): void {
    if (isScheduled || isHeld || isOver) return;
    isScheduled = true;
    timers.soon(deliver);
  }

  /** Delivers what was there at the turn's start: an answer to a frame never overtakes the turn it belongs to. */
  function deliver(): void {
    isScheduled = false;
    for (let left = frames.length; left > 0 && !isHeld; left--) {
      const frame = frames.shift();
      // A handler may cut the pipe under this loop.
      if (frame === undefined) break;
      bytes -= frame.bytes;
      handlers.arrived(frame.text, frame.bytes);
    }
    if (isHeld || isOver) return;
    handlers.rested?.();
    if (frames.length > 0) {
      schedule();
    } else if (ending !== undefined) {
      isOver = true;
      handlers.ended(ending.code, ending.reason);
    }
  }

  return {
    put(text) {
      if (ending !== undefined) return 0;
      const size = Buffer.byteLength(text);
      frames.push({ text, bytes: size });
      bytes += size;
      schedule();
      return size;
    },
    end(code, reason) {
      if (ending !== undefined) return;
      ending = { code, reason };
      schedule();
    },
    cut(keep, code, reason) {
      if (isOver) return;
      frames = frames.slice(0, keep);
      bytes = frames.reduce((sum, frame) => sum + frame.bytes, 0);
      ending = { code, reason };
      schedule();
    },
    hold() {
      isHeld = true;
    },
    release() {
      isHeld = false;
      if (frames.length > 0 || ending !== undefined) schedule();
    },
    get length() {
      return frames.length;
    },
    get bytes() {
      return bytes;
    },
    get isEnding() {
      return ending !== undefined;
    },
  };
}
