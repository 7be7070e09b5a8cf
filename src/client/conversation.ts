/**
 * Keeps one session going over as many connections as it takes (§6.3): opens, resumes, backs off, and gives on every
 * message once and in order.
 *
 *   opening   a socket is being opened, or awaits its welcome; bounded by `connectTimeoutMs`
 *   live      welcomed: messages flow
 *   resting   between connections: a timer runs until the next attempt
 *   closing   `close` was called while live: awaits `session.closed`, or the connection's end
 *   ended     for good
 *
 *   opening → live → resting → opening …       a drop
 *   opening → opening                           the session's stream is kept no more: another session at once
 *   live → closing → ended · any → ended
 */
import type { Timer, World } from "../platform/world.ts";
import { encode } from "../protocol/codec.ts";
import { ARCP_VERSION } from "../protocol/envelope.ts";
import { CLOSE } from "../protocol/framing.ts";
import type { Message, MessageOf, PayloadOf } from "../protocol/registry.ts";
import { ConnectionLostError, SessionError } from "./errors.ts";
import { Link } from "./link.ts";
import { askedDelay, type ReconnectPolicy, randomFraction, reconnectDelay } from "./reconnect.ts";
import type { OpenWebSocket } from "./web-socket.ts";

/** `session.ack` is sent at most this often (§6.5). */
const ACK_INTERVAL_MS = 250;
/** How long `close` waits for `session.closed`. */
const CLOSE_TIMEOUT_MS = 5_000;

export interface ConversationSettings {
  readonly url: string;
  readonly token: string | undefined;
  readonly clientName: string;
  readonly features: readonly string[];
  readonly connectTimeoutMs: number;
  readonly reconnect: ReconnectPolicy;
  readonly openWebSocket: OpenWebSocket;
  readonly world: World;
}

export type Welcome = PayloadOf<"session.welcome">;

/** What comes in beside the session's own upkeep. */
export type Incoming = Exclude<
  Message<"to-client">,
  MessageOf<"session.ping" | "session.pong" | "session.welcome" | "session.closed">
>;

export interface ConversationHandlers {
  /** Live, for the first time or again. `renewed`: in another session than before, whose stream begins anew. */
  live(welcome: Welcome, renewed: boolean): void;
  /** The next message; repeats have been taken out, and what no message of ours is. Must not throw. */
  message(message: Incoming, length: number): void;
  /** Called exactly once, at the end. */
  ended(error: SessionError): void;
}

type State = "opening" | "live" | "resting" | "closing" | "ended";

export class Conversation {
  readonly #settings: ConversationSettings;
  readonly #handlers: ConversationHandlers;
  #state: State = "resting";
  #link: Link | undefined;
  /** The deadline of `opening` or `closing`, or the end of `resting`. */
  #timer: Timer | undefined;
  #ackTimer: Timer | undefined;
  #sessionId: string | undefined;
  /** The newest token that arrived. If a newer one was lost with its welcome, this one is still valid. */
  #resumeToken: string | undefined;
  #acknowledges = false;
  /** The highest `event_seq` up to which everything has been given on. */
  #lastSeq = 0;
  #everLive = false;
  /** Attempts since the last progress. */
  #attempts = 0;
  #closed: PromiseWithResolvers<void> | undefined;

  constructor(settings: ConversationSettings, handlers: ConversationHandlers) {
    this.#settings = settings;
    this.#handlers = handlers;
  }

  get isLive(): boolean {
    return this.#state === "live";
  }

  /** Makes the first attempt. It is the only one until a welcome has come. */
  start(): void {
    this.#open();
  }

  /** The message as a frame of this session, of whatever id it has by now. */
  encode(message: Message<"to-runtime">): string {
    return encode({ ...message, session_id: this.#sessionId });
  }

  /** Sends a frame made by `encode`. Call only when live. */
  send(frame: string): void {
    this.#link?.sendText(frame);
  }

  /** Ends the session (§6.7). Resolves once the runtime has said so, or after 5 s, or when there is no connection. */
  close(): Promise<void> {
    if (this.#closed !== undefined) return this.#closed.promise;
    this.#closed = Promise.withResolvers();
    if (this.#state === "ended") {
      this.#closed.resolve();
    } else if (this.#state === "live") {
      this.#state = "closing";
      this.#link?.sendText(this.encode({ ...this.#envelope(), type: "session.close", payload: {} }));
      this.#setTimer(CLOSE_TIMEOUT_MS, () => this.#finish(closedError()));
    } else {
      this.#finish(closedError());
    }
    return this.#closed.promise;
  }

  /** Ends at once, without a word to the runtime. */
  abandon(error: SessionError): void {
    this.#finish(error);
  }

  #open(): void {
    const { openWebSocket, url, world, connectTimeoutMs } = this.#settings;
    this.#state = "opening";
    this.#setTimer(connectTimeoutMs, () => {
      this.#drop(CLOSE.normal, "no welcome in time");
      this.#retry(`no welcome came within ${connectTimeoutMs} ms`);
    });
    try {
      const link: Link = new Link(openWebSocket(url), world, {
        opened: () => link.send(this.#firstMessage()),
        message: (message, length) => this.#receive(message, length),
        unknown: (seq) => this.#advance(seq),
        lost: (code, reason) => this.#lost(code, reason),
      });
      this.#link = link;
    } catch (error) {
      this.#retry(`a WebSocket to ${url} could not be opened`, error);
    }
  }

  #firstMessage(): MessageOf<"session.hello" | "session.resume"> {
    const { token, clientName, features } = this.#settings;
    const auth = token === undefined ? undefined : { scheme: "bearer", token };
    if (this.#sessionId !== undefined && this.#resumeToken !== undefined) {
      const point = { session_id: this.#sessionId, resume_token: this.#resumeToken, last_event_seq: this.#lastSeq };
      return { ...this.#envelope(), type: "session.resume", payload: { ...point, auth } };
    }
    const capabilities = { encodings: ["json"], features: [...features] };
    const payload = { client: { name: clientName, version: undefined }, auth, capabilities, resume: undefined };
    return { ...this.#envelope(), type: "session.hello", payload };
  }

  #receive(message: Exclude<Message<"to-client">, MessageOf<"session.ping">>, length: number): void {
    if (this.#state === "opening") return this.#receiveFirst(message);
    if (message.event_seq !== undefined && !this.#advance(message.event_seq)) return;
    // A connection has proved good once something beside a refusal came after its welcome.
    if (message.type !== "session.error") this.#attempts = 0;
    if (message.type === "session.closed") {
      if (this.#state === "closing") this.#finish(closedError());
    } else if (message.type !== "session.pong" && message.type !== "session.welcome") {
      this.#handlers.message(message, length);
    }
  }

  /** Whether `seq` is the next place in the stream, which it then is no more; a gap takes a new connection (§8.3). */
  #advance(seq: number): boolean {
    if (this.#state === "opening" || seq <= this.#lastSeq) return false;
    if (seq > this.#lastSeq + 1) {
      this.#reconnect(`event_seq went from ${this.#lastSeq} to ${seq}`);
      return false;
    }
    this.#lastSeq = seq;
    if (this.#acknowledges) this.#ackTimer ??= this.#settings.world.timers.after(ACK_INTERVAL_MS, () => this.#ack());
    return true;
  }

  #receiveFirst(message: Message<"to-client">): void {
    if (message.type === "session.welcome") return this.#welcome(message.payload);
    if (message.type !== "session.error") return this.#reconnect(`${message.type} came before a welcome`);
    const { payload } = message;
    // A runtime that is asked for a session it does not have says so in more ways than RESUME_WINDOW_EXPIRED. Another one
    // is asked for, unless it is the caller who is refused.
    const isResume = this.#sessionId !== undefined;
    if (isResume && !payload.retryable && payload.code !== "UNAUTHENTICATED") {
      this.#sessionId = undefined;
      this.#resumeToken = undefined;
      this.#drop(CLOSE.normal, "");
      return this.#open();
    }
    if (payload.retryable && this.#everLive) {
      return this.#reconnect(`${payload.code}: ${payload.message}`, askedDelay(payload.details));
    }
    this.#finish(new SessionError(payload));
  }

  #welcome(welcome: Welcome): void {
    const renewed = this.#everLive && welcome.session_id !== this.#sessionId;
    if (welcome.session_id !== this.#sessionId) this.#lastSeq = 0;
    const { features } = welcome.capabilities;
    this.#sessionId = welcome.session_id;
    this.#resumeToken = welcome.resume_token;
    this.#acknowledges = features.includes("ack");
    this.#everLive = true;
    this.#timer?.cancel();
    this.#state = "live";
    const interval = features.includes("heartbeat") ? welcome.heartbeat_interval_sec : undefined;
    this.#link?.keepAlive(welcome.session_id, interval === undefined ? undefined : interval * 1000);
    this.#handlers.live(welcome, renewed);
  }

  #lost(code: number, reason: string): void {
    this.#link = undefined;
    const said = reason === "" ? `code ${code}` : `code ${code}, ${reason}`;
    if (this.#state === "closing") return this.#finish(closedError());
    if (code === CLOSE.superseded) {
      const message = "another connection resumed this session";
      return this.#finish(new SessionError({ code: "SUPERSEDED", message, retryable: false }));
    }
    if (code === CLOSE.unauthenticated) {
      const message = `the runtime no longer takes the token: ${said}`;
      return this.#finish(new SessionError({ code: "UNAUTHENTICATED", message, retryable: false }));
    }
    this.#retry(`the connection was lost: ${said}`);
  }

  /** Gives the connection up for another, made no sooner than in `leastMs`. */
  #reconnect(reason: string, leastMs = 0): void {
    this.#drop(CLOSE.invalidMessage, reason);
    this.#retry(reason, undefined, leastMs);
  }

  #retry(reason: string, cause?: unknown, leastMs = 0): void {
    const { reconnect, world } = this.#settings;
    this.#attempts += 1;
    const delay = this.#everLive ? reconnectDelay(reconnect, this.#attempts, randomFraction(world)) : undefined;
    if (delay === undefined) {
      const tried = this.#everLive ? ` (given up after ${reconnect.maxAttempts} attempts)` : "";
      return this.#finish(new ConnectionLostError(`${reason}${tried}`, cause === undefined ? undefined : { cause }));
    }
    this.#state = "resting";
    this.#setTimer(Math.max(delay, leastMs), () => this.#open());
  }

  #ack(): void {
    this.#ackTimer = undefined;
    // What a resume says goes for an acknowledgement too, so that nothing is owed after a drop.
    if (this.#state !== "live") return;
    const payload = { last_processed_seq: this.#lastSeq };
    this.#link?.sendText(this.encode({ ...this.#envelope(), type: "session.ack", payload }));
  }

  #finish(error: SessionError): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#timer?.cancel();
    this.#ackTimer?.cancel();
    this.#drop(CLOSE.normal, "");
    this.#closed?.resolve();
    this.#handlers.ended(error);
  }

  #drop(code: number, reason: string): void {
    // A close frame has room for 123 bytes.
    this.#link?.drop(code, reason.slice(0, 40));
    this.#link = undefined;
  }

  #setTimer(delayMs: number, run: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#settings.world.timers.after(delayMs, run);
  }

  #envelope(): { readonly arcp: string; readonly id: string } {
    return { arcp: ARCP_VERSION, id: this.#settings.world.ids.next("msg") };
  }
}

export function closedError(): SessionError {
  return new SessionError({ code: "SESSION_CLOSED", message: "the session was closed", retryable: false });
}
