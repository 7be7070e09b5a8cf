/**
 * A `Connection` over a pair of streams, such as a child's standard input and output: one frame a line, in UTF-8. There
 * are no close codes on such a line: that the output ends is all a peer sees of a close, and its own end is that its
 * output, our input, ends.
 */
import type { Readable, Writable } from "node:stream";
import type { Log } from "../platform/log.ts";
import type { Timer, Timers } from "../platform/world.ts";
import { CLOSE, MAX_FRAME_BYTES } from "../protocol/framing.ts";
import type { Connection, ConnectionHandlers, Peer } from "./connection.ts";
import { CLOSE_TIMEOUT_MS, MAX_UNSENT_BYTES } from "./limits.ts";
import { LineError, LineSplitter } from "./line-splitter.ts";
import { TurnWriter } from "./turn-writer.ts";

export interface StdioOptions {
  readonly timers: Timers;
  readonly log: Log;
  /** Frames of the peer, one a line. A line over `MAX_FRAME_BYTES` ends the connection (1009), and one that is no UTF-8 (1007). */
  readonly input: Readable;
  /** Frames for the peer. Nothing else may be written there. Ended by a close. */
  readonly output: Writable;
  /** Who the peer is. Whoever holds the other ends of two pipes is on this machine. */
  readonly peer?: Peer;
}

export interface StdioConnection extends Connection {
  /** Resolves when the connection is gone, whoever ended it, and after its handlers were told. */
  readonly ended: Promise<{ readonly code: number; readonly reason: string }>;
}

const LOCAL_PEER: Peer = { address: "stdio", confidential: true };
/** RFC 6455 §7.4.1. */
const POLICY_VIOLATION = 1008;

/** A frame and the end of its line, one character per byte. */
function encodeLine(text: string): string {
  const isAscii = Buffer.byteLength(text) === text.length;
  return `${isAscii ? text : Buffer.from(text).toString("latin1")}\n`;
}

class PairConnection implements StdioConnection {
  readonly peer: Peer;
  readonly #options: StdioOptions;
  readonly #writer: TurnWriter;
  readonly #lines = new LineSplitter(MAX_FRAME_BYTES);
  #handlers: ConnectionHandlers | undefined;
  /** Why the connection ends, from the first reason on; undefined while it lives. */
  #ending: { readonly code: number; readonly reason: string } | undefined;
  /** The output has ended, or cannot be written any more. */
  #isOver = false;
  #closeTimer: Timer | undefined;
  readonly #ended = Promise.withResolvers<{ readonly code: number; readonly reason: string }>();
  readonly ended = this.#ended.promise;

  constructor(options: StdioOptions) {
    this.peer = options.peer ?? LOCAL_PEER;
    this.#options = options;
    const { input, output, timers } = options;
    this.#writer = new TurnWriter(output, timers, {
      isWritable: () => this.#ending === undefined,
      drained: () => this.#handlers?.drained(),
    });
    output.once("finish", () => this.#finish());
    // A peer that stopped reading (EPIPE) is gone, whatever it may still write.
    output.on("error", (error) => this.#break(error.message));
    output.once("close", () => this.#break("the output was closed"));
    input.on("error", (error) => this.#break(error.message));
  }

  open(handlers: ConnectionHandlers): void {
    this.#options.timers.soon(() => {
      this.#handlers = handlers;
      if (this.#isOver) return this.#tellClosed();
      const { input } = this.#options;
      input.on("data", (piece: Uint8Array | string) => this.#receive(piece));
      input.once("end", () => this.close(CLOSE.goingAway, "the input has ended"));
      input.once("close", () => this.close(CLOSE.goingAway, "the input was closed"));
      // One that ended before anybody listened says so no more.
      if (input.readableEnded || input.destroyed) this.close(CLOSE.goingAway, "the input has ended");
      this.#writer.open();
    });
  }

  get overloaded(): boolean {
    return this.#writer.overloaded;
  }

  send(frames: readonly string[]): void {
    if (this.#ending !== undefined) return;
    for (const text of frames) this.#writer.add(encodeLine(text));
    if (this.#writer.unsentBytes > MAX_UNSENT_BYTES) {
      this.#ending = {
        code: POLICY_VIOLATION,
        reason: `more than ${MAX_UNSENT_BYTES} bytes wait for the peer to read`,
      };
      this.#writer.discard();
      this.#options.output.destroy();
      return;
    }
    this.#writer.schedule();
  }

  close(code: number, reason: string): void {
    if (this.#ending !== undefined) return;
    this.#writer.flush();
    this.#ending = { code, reason };
    const { input, output, timers } = this.#options;
    input.pause();
    output.end();
    if (!this.#isOver) this.#closeTimer = timers.after(CLOSE_TIMEOUT_MS, () => output.destroy());
  }

  #receive(piece: Uint8Array | string): void {
    const bytes = typeof piece === "string" ? Buffer.from(piece) : piece;
    try {
      for (const line of this.#lines.split(bytes)) {
        if (this.#ending !== undefined) return;
        this.#deliver(line);
      }
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      this.close(error.closeCode, error.message);
    }
  }

  /** An error thrown by the receiver of a frame must not reach the stream, where it would end the process. */
  #deliver(text: string): void {
    try {
      this.#handlers?.frame(text);
    } catch (error) {
      this.#options.log.error({ err: error }, "handling a frame threw; closing the connection");
      this.close(CLOSE.internalError, "The runtime failed while handling a frame.");
    }
  }

  #break(reason: string): void {
    this.#ending ??= { code: CLOSE.abnormal, reason };
    this.#options.input.pause();
    this.#finish();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#closeTimer?.cancel();
    this.#writer.discard();
    this.#ending ??= { code: CLOSE.normal, reason: "" };
    this.#tellClosed();
  }

  #tellClosed(): void {
    if (this.#ending === undefined || this.#handlers === undefined) return;
    this.#handlers.closed(this.#ending.code, this.#ending.reason);
    this.#ended.resolve(this.#ending);
  }
}

/** Takes over a pair of streams. Reads nothing before `open`. */
export function createStdioConnection(options: StdioOptions): StdioConnection {
  return new PairConnection(options);
}
