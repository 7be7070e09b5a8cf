/**
 * A `Connection` over an accepted WebSocket. `ws` reads, and writes control frames; data frames are joined here and
 * written past it, straight to the socket: one write per turn instead of one or two per frame. Both write whole frames
 * synchronously, so neither can land inside the other's.
 */
import type { Duplex } from "node:stream";
import { WebSocket } from "ws";
import type { Log } from "../platform/log.ts";
import type { Timer, Timers } from "../platform/world.ts";
import { CLOSE } from "../protocol/framing.ts";
import type { Connection, ConnectionHandlers, Peer } from "./connection.ts";
import { CLOSE_TIMEOUT_MS, MAX_UNSENT_BYTES } from "./limits.ts";
import { encodeTextFrame } from "./text-frame.ts";
import { TurnWriter } from "./turn-writer.ts";

export interface WebSocketEnvironment {
  readonly timers: Timers;
  readonly log: Log;
}

interface Ending {
  readonly code: number;
  readonly reason: string;
}

/** RFC 6455 §7.4.1. */
const PROTOCOL_ERROR = 1002;
const UNSUPPORTED_DATA = 1003;
const POLICY_VIOLATION = 1008;
const STATUS_BY_WS_ERROR: Readonly<Record<string, number>> = {
  WS_ERR_INVALID_UTF8: 1007,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: POLICY_VIOLATION,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
};
/** A control frame holds 125 bytes, two of them the code (§5.5.1). */
const MAX_REASON_BYTES = 123;

function statusOf(error: Error): number {
  const code = "code" in error ? String(error.code) : "";
  if (!code.startsWith("WS_ERR_")) return CLOSE.abnormal;
  return STATUS_BY_WS_ERROR[code] ?? PROTOCOL_ERROR;
}

/** As much of `reason` as fits a close frame, cut between characters. */
function shortenReason(reason: string): string {
  const { read } = new TextEncoder().encodeInto(reason, new Uint8Array(MAX_REASON_BYTES));
  return reason.slice(0, read);
}

class WebSocketConnection implements Connection {
  readonly peer: Peer;
  readonly #ws: WebSocket;
  readonly #writer: TurnWriter;
  readonly #environment: WebSocketEnvironment;
  #handlers: ConnectionHandlers | undefined;
  /** Frames that came between the upgrade and `open`; only a socket that closed by then delivers any. */
  #early: string[] = [];
  /** Why we end the connection; undefined while we do not. */
  #ending: Ending | undefined;
  /** How the connection ended; undefined while it lives. */
  #ended: Ending | undefined;
  #closeTimer: Timer | undefined;

  constructor(ws: WebSocket, socket: Duplex, peer: Peer, environment: WebSocketEnvironment) {
    this.peer = peer;
    this.#ws = ws;
    this.#writer = new TurnWriter(socket, environment.timers, {
      // No data frame may follow a close frame (§5.5.1), be it our answer to the peer's.
      isWritable: () => this.#isWritable,
      drained: () => this.#handlers?.drained(),
    });
    this.#environment = environment;
    ws.pause();
    ws.on("message", (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary));
    ws.on("error", (error) => this.#fail(error));
    ws.on("close", (code, reason) => this.#end({ code, reason: reason.toString() }));
  }

  open(handlers: ConnectionHandlers): void {
    this.#environment.timers.soon(() => {
      this.#handlers = handlers;
      for (const text of this.#early) this.#deliver(handlers, text);
      this.#early = [];
      if (this.#ended !== undefined) {
        handlers.closed(this.#ended.code, this.#ended.reason);
        return;
      }
      this.#writer.open();
      this.#ws.resume();
    });
  }

  get overloaded(): boolean {
    return this.#writer.overloaded;
  }

  send(frames: readonly string[]): void {
    if (!this.#isWritable) return;
    for (const text of frames) this.#writer.add(encodeTextFrame(text));
    if (this.#writer.unsentBytes > MAX_UNSENT_BYTES) {
      this.#ending = {
        code: POLICY_VIOLATION,
        reason: `more than ${MAX_UNSENT_BYTES} bytes wait for the peer to read`,
      };
      this.#writer.discard();
      this.#ws.terminate();
      return;
    }
    this.#writer.schedule();
  }

  close(code: number, reason: string): void {
    if (!this.#isWritable) return;
    this.#writer.flush();
    this.#ending = { code, reason };
    this.#ws.close(code, shortenReason(reason));
    this.#limitClosing();
  }

  get #isWritable(): boolean {
    return this.#ending === undefined && this.#ws.readyState === WebSocket.OPEN;
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#ending !== undefined) return;
    if (isBinary) this.close(UNSUPPORTED_DATA, "Binary frames are not understood here: send text frames.");
    else if (this.#handlers === undefined) this.#early.push(data.toString());
    else this.#deliver(this.#handlers, data.toString());
  }

  /** An error thrown by the receiver of a frame must not reach the socket, where it would end the process. */
  #deliver(handlers: ConnectionHandlers, text: string): void {
    try {
      handlers.frame(text);
    } catch (error) {
      this.#environment.log.error(
        { err: error, address: this.peer.address },
        "handling a frame threw; closing the connection",
      );
      this.close(CLOSE.internalError, "The runtime failed while handling a frame.");
    }
  }

  /** What the peer sent was no WebSocket, or the socket broke. `ws` has begun to close by now. */
  #fail(error: Error): void {
    this.#ending ??= { code: statusOf(error), reason: error.message };
    this.#limitClosing();
  }

  #limitClosing(): void {
    this.#closeTimer ??= this.#environment.timers.after(CLOSE_TIMEOUT_MS, () => this.#ws.terminate());
  }

  #end(ended: Ending): void {
    this.#closeTimer?.cancel();
    this.#writer.discard();
    this.#ended = this.#ending ?? ended;
    this.#handlers?.closed(this.#ended.code, this.#ended.reason);
  }
}

/** Takes over an accepted WebSocket and its socket. Reads nothing before `open`. */
export function createWebSocketConnection(
  ws: WebSocket,
  socket: Duplex,
  peer: Peer,
  environment: WebSocketEnvironment,
): Connection {
  return new WebSocketConnection(ws, socket, peer, environment);
}
