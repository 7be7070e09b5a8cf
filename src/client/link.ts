/**
 * One live socket: frames in and out, and the heartbeat (§6.4). It knows messages but no session: what they mean is its
 * owner's business, apart from ping and pong. Once lost it stays lost; nothing comes after `lost`.
 */
import type { Timer, World } from "../platform/world.ts";
import { decode, encode } from "../protocol/codec.ts";
import { ARCP_VERSION } from "../protocol/envelope.ts";
import { isCount } from "../protocol/fields.ts";
import { CLOSE } from "../protocol/framing.ts";
import { findMessage, type Message, type MessageOf } from "../protocol/registry.ts";
import type { WebSocketLike } from "./web-socket.ts";

/** Looks per heartbeat interval: with two, no pause between our messages is longer than one interval. */
const LOOKS_PER_INTERVAL = 2;
/** A connection silent for two intervals is dead (§6.4). */
const SILENT_LOOKS = 2 * LOOKS_PER_INTERVAL;

export interface LinkHandlers {
  opened(): void;
  /** @param length of the frame, in UTF-16 units. */
  message(message: Exclude<Message<"to-client">, MessageOf<"session.ping">>, length: number): void;
  /** What has a place in the stream and is nothing to this client: a type of a later draft, or an event of no job. */
  unknown(eventSeq: number): void;
  /** Called exactly once, whoever ended it, unless the owner did by `drop`. */
  lost(code: number, reason: string): void;
}

export class Link {
  readonly #socket: WebSocketLike;
  readonly #world: World;
  readonly #handlers: LinkHandlers;
  #sessionId: string | undefined;
  #over = false;
  #timer: Timer | undefined;
  /** Whether something came, and whether something went, since the last look. */
  #heard = false;
  #spoke = false;
  #silentLooks = 0;

  constructor(socket: WebSocketLike, world: World, handlers: LinkHandlers) {
    this.#socket = socket;
    this.#world = world;
    this.#handlers = handlers;
    socket.addEventListener("open", () => {
      if (!this.#over) handlers.opened();
    });
    socket.addEventListener("message", ({ data }) => {
      if (!this.#over) this.#receive(data);
    });
    // A browser says why in `close` only, and follows every `error` with one; others may leave it at the error.
    socket.addEventListener("error", () => this.#lose(CLOSE.abnormal, "the connection failed"));
    socket.addEventListener("close", ({ code, reason }) => this.#lose(code ?? CLOSE.abnormal, reason ?? ""));
  }

  /** Sends one message. Ignored once lost. */
  send(message: Message<"to-runtime">): void {
    this.sendText(encode(message));
  }

  /** Sends what `encode` made of a message. Ignored once lost. */
  sendText(frame: string): void {
    if (this.#over) return;
    this.#spoke = true;
    this.#socket.send(frame);
  }

  /** Names the session from now on and keeps its heartbeat; without an interval only answers the runtime's. */
  keepAlive(sessionId: string, intervalMs: number | undefined): void {
    this.#sessionId = sessionId;
    if (intervalMs !== undefined && intervalMs > 0) this.#lookAfter(intervalMs / LOOKS_PER_INTERVAL);
  }

  /** Ends the link; `lost` is not called for it. Idempotent. */
  drop(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.cancel();
    this.#socket.close(code, reason);
  }

  #lose(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.cancel();
    this.#handlers.lost(code, reason);
  }

  /** Gives the socket up from this side. Its own close may never come, so its owner is told at once. */
  #giveUp(code: number, reason: string): void {
    this.drop(code, reason);
    this.#handlers.lost(code, reason);
  }

  #receive(data: unknown): void {
    this.#heard = true;
    if (typeof data !== "string") return this.#giveUp(CLOSE.invalidMessage, "a frame that is not text came");
    const decoded = decode(data, "to-client");
    if (!decoded.ok) {
      // A message of a later draft is nothing to this client, nor is an event of no job, such as of back-pressure (§6.5). A
      // broken one may have been an event.
      const isOfLater = decoded.type !== undefined && findMessage(decoded.type) === undefined;
      const seq = decoded.type === undefined ? undefined : placeOf(data);
      if (isOfLater || (seq !== undefined && decoded.error.details?.field === "job_id")) {
        if (seq !== undefined) this.#handlers.unknown(seq);
        return;
      }
      return this.#giveUp(CLOSE.invalidMessage, decoded.error.message);
    }
    const { message } = decoded;
    if (message.type === "session.ping") this.#answer(message);
    else this.#handlers.message(message, data.length);
  }

  #answer({ payload }: MessageOf<"session.ping">): void {
    const payloadOut = { ping_nonce: payload.nonce, received_at: this.#time() };
    this.send({ ...this.#envelope(), type: "session.pong", payload: payloadOut });
  }

  #lookAfter(delayMs: number): void {
    this.#timer = this.#world.timers.after(delayMs, () => {
      this.#silentLooks = this.#heard ? 0 : this.#silentLooks + 1;
      this.#heard = false;
      if (this.#silentLooks >= SILENT_LOOKS) {
        return this.#giveUp(CLOSE.heartbeatLost, "the runtime was silent for two heartbeat intervals");
      }
      if (!this.#spoke) {
        const payload = { nonce: this.#world.ids.next("msg"), sent_at: this.#time() };
        this.send({ ...this.#envelope(), type: "session.ping", payload });
      }
      this.#spoke = false;
      this.#lookAfter(delayMs);
    });
  }

  #envelope() {
    return { arcp: ARCP_VERSION, id: this.#world.ids.next("msg"), session_id: this.#sessionId };
  }

  #time(): string {
    return new Date(this.#world.clock.now()).toISOString();
  }
}

/** The `event_seq` of a frame that is a JSON object. */
function placeOf(frame: string): number | undefined {
  const { event_seq: seq } = JSON.parse(frame) as { event_seq?: unknown };
  return isCount(seq) && seq > 0 ? seq : undefined;
}
