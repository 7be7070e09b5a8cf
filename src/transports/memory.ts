/**
 * A connection without a socket, for tests and the simulation: a `Connection` on one side, a client under the test's
 * control on the other. Whatever is sent arrives in a later turn of the given timers, in order; under fake timers the
 * same calls give the same run. A drop loses what was on the way, a stall makes the server side overloaded.
 */
import type { Timer, Timers } from "../platform/world.ts";
import { CLOSE, MAX_FRAME_BYTES } from "../protocol/framing.ts";
import { type Connection, type ConnectionHandlers, OVERLOAD_BYTES, type Peer } from "./connection.ts";
import { CLOSE_TIMEOUT_MS } from "./limits.ts";
import { createMemoryPipe } from "./memory-pipe.ts";

export interface MemoryConnectionOptions {
  readonly timers: Timers;
  /** Default: address `memory`, confidential, no bearer. */
  readonly peer?: Peer;
  /** Unsent bytes from which the server side counts as overloaded. Default: `OVERLOAD_BYTES`. */
  readonly overloadBytes?: number;
}

export interface MemoryClientHandlers {
  frame(text: string): void;
  /** Called exactly once; nothing comes after it. */
  closed(code: number, reason: string): void;
}

export interface MemoryClient {
  /** From now on frames go to `handlers`, those in `received` first. Without it they collect in `received`. */
  open(handlers: MemoryClientHandlers): void;
  /** Frames that arrived and were neither taken nor handed to handlers, oldest first. */
  readonly received: readonly string[];
  /** Returns `received` and empties it. */
  take(): string[];
  /** Ignored once closed. A frame over `MAX_FRAME_BYTES` closes the connection with 1009. */
  send(text: string): void;
  /** Ends the connection politely, after everything sent before. Default: 1000. */
  close(code?: number, reason?: string): void;
  /**
   * Cuts the line. Of the frames on the way, the first `toClient` and `toServer` still arrive (default: none), the
   * others are lost; then both sides learn that the connection is gone (1006).
   */
  drop(survivors?: { readonly toClient?: number; readonly toServer?: number }): void;
  /** Stops taking frames: they wait on the server's side, as with a peer that does not read its socket. */
  stall(): void;
  /** Takes frames again. */
  resume(): void;
  /** How the connection ended, as the client saw it; undefined while it lives. */
  readonly closed: { readonly code: number; readonly reason: string } | undefined;
  /** Frames sent by the server that have not arrived. */
  readonly inFlight: number;
  /** Bytes of frames that arrived at the client, in UTF-8. */
  readonly receivedBytes: number;
  /** Bytes of frames the client sent, in UTF-8. */
  readonly sentBytes: number;
}

const LOCAL_PEER: Peer = { address: "memory", confidential: true };
const MESSAGE_TOO_BIG = 1009;

/** The two ends of one connection. */
export function createMemoryConnectionPair(options: MemoryConnectionOptions): {
  readonly server: Connection;
  readonly client: MemoryClient;
} {
  const { timers, peer = LOCAL_PEER, overloadBytes = OVERLOAD_BYTES } = options;
  let serverHandlers: ConnectionHandlers | undefined;
  let clientHandlers: MemoryClientHandlers | undefined;
  let received: string[] = [];
  let receivedBytes = 0;
  let sentBytes = 0;
  let closed: MemoryClient["closed"];
  /** Set once the server side closes: it takes no more frames then, in either direction. */
  let serverEnding: MemoryClient["closed"];
  let owesDrained = false;
  let closeTimer: Timer | undefined;

  const toServer = createMemoryPipe(timers, {
    arrived(text, bytes) {
      if (serverEnding !== undefined) return;
      if (bytes > MAX_FRAME_BYTES) server.close(MESSAGE_TOO_BIG, `a frame is longer than ${MAX_FRAME_BYTES} bytes`);
      else serverHandlers?.frame(text);
    },
    ended(code, reason) {
      closeTimer?.cancel();
      toClient.end(code, reason);
      const ending = serverEnding ?? { code, reason };
      serverHandlers?.closed(ending.code, ending.reason);
    },
  });
  const toClient = createMemoryPipe(timers, {
    arrived(text, bytes) {
      receivedBytes += bytes;
      if (clientHandlers === undefined) received.push(text);
      else clientHandlers.frame(text);
    },
    ended(code, reason) {
      closed = { code, reason };
      toServer.end(code, reason);
      clientHandlers?.closed(code, reason);
    },
    rested() {
      if (!owesDrained || server.overloaded || serverEnding !== undefined || toServer.isEnding) return;
      owesDrained = false;
      serverHandlers?.drained();
    },
  });
  // Nothing is delivered to the server side before it is opened.
  toServer.hold();

  const server: Connection = {
    peer,
    open(handlers) {
      serverHandlers = handlers;
      toServer.release();
    },
    send(frames) {
      for (const text of frames) toClient.put(text);
      owesDrained ||= server.overloaded;
    },
    get overloaded() {
      return toClient.bytes > overloadBytes;
    },
    close(code, reason) {
      if (toClient.isEnding) return;
      serverEnding = { code, reason };
      toClient.end(code, reason);
      closeTimer = timers.after(CLOSE_TIMEOUT_MS, () => client.drop());
    },
  };

  const client: MemoryClient = {
    open(handlers) {
      clientHandlers = handlers;
      for (const text of client.take()) handlers.frame(text);
      if (closed !== undefined) handlers.closed(closed.code, closed.reason);
    },
    get received() {
      return received;
    },
    take() {
      const taken = received;
      received = [];
      return taken;
    },
    send(text) {
      sentBytes += toServer.put(text);
    },
    close(code = 1000, reason = "") {
      toServer.end(code, reason);
    },
    drop({ toClient: clientKeeps = 0, toServer: serverKeeps = 0 } = {}) {
      toClient.cut(clientKeeps, CLOSE.abnormal, "");
      toClient.release();
      toServer.cut(serverKeeps, CLOSE.abnormal, "");
    },
    stall: () => toClient.hold(),
    resume: () => toClient.release(),
    get closed() {
      return closed;
    },
    get inFlight() {
      return toClient.length;
    },
    get receivedBytes() {
      return receivedBytes;
    },
    get sentBytes() {
      return sentBytes;
    },
  };

  return { server, client };
}
