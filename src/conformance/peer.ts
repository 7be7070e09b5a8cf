/**
 * One raw connection to the runtime under test: what was received is kept, in order, and every wait has an end. It
 * answers pings, and nothing else by itself.
 */
import type { OpenWebSocket, WebSocketLike } from "../client/web-socket.ts";
import type { Timer, World } from "../platform/world.ts";
import { ARCP_VERSION } from "../protocol/envelope.ts";
import type { JsonObject } from "../protocol/fields.ts";
import { type Frame, readFrame } from "./frame.ts";
import { Unmet } from "./verdict.ts";

export interface PeerOptions {
  readonly url: string;
  readonly openWebSocket: OpenWebSocket;
  readonly world: World;
  /** The longest any one wait takes. */
  readonly patienceMs: number;
}

/** How long a runtime may take to answer the close of a WebSocket. */
const HANG_UP_MS = 1_000;

export interface Ended {
  readonly code: number | undefined;
}

export class Peer {
  readonly frames: Frame[] = [];
  /** Frames that are no envelope. */
  strays = 0;
  /** Whether pings are answered. */
  answersPings = true;
  ended: Ended | undefined;
  readonly #socket: WebSocketLike;
  readonly #options: PeerOptions;
  readonly #watchers = new Set<() => void>();
  readonly #gone = Promise.withResolvers<void>();
  #opened = false;

  constructor(options: PeerOptions) {
    this.#options = options;
    this.#socket = options.openWebSocket(options.url);
    this.#socket.addEventListener("open", () => {
      this.#opened = true;
      this.#tell();
    });
    this.#socket.addEventListener("message", ({ data }) => this.#receive(data));
    this.#socket.addEventListener("error", () => this.#end(undefined));
    this.#socket.addEventListener("close", ({ code }) => this.#end(code));
  }

  /** @throws Unmet when there is no connection to be had. */
  async opened(): Promise<void> {
    await this.until("the connection to open", () => (this.#opened || this.ended !== undefined ? true : undefined));
    if (!this.#opened) throw new Unmet(`no WebSocket could be opened at ${this.#options.url}`);
  }

  /** Sends one envelope, with an id of its own unless it brings one. Returns the id. */
  send(type: string, payload: JsonObject = {}, envelope: JsonObject = {}): string {
    const id = this.#options.world.ids.next("msg");
    const message = { arcp: ARCP_VERSION, id, type, ...envelope, payload };
    this.sendText(JSON.stringify(message));
    return String(message.id);
  }

  sendText(text: string): void {
    if (this.ended === undefined) this.#socket.send(text);
  }

  /** The first frame from the `from`th on that `matches`, which may have come already. @throws Unmet when none comes. */
  async expect(what: string, matches: (frame: Frame) => boolean, from = 0): Promise<Frame> {
    let next = from;
    return await this.until(what, () => {
      for (; next < this.frames.length; next++) if (matches(this.frames[next] as Frame)) return this.frames[next];
      return undefined;
    });
  }

  /** Resolves once the runtime has closed. @throws Unmet when it does not. */
  closed(what: string): Promise<Ended> {
    return this.until(what, () => this.ended);
  }

  /** Looks whenever something arrives. @throws Unmet once patience, or the connection, has ended. */
  until<Found>(what: string, look: () => Found | undefined): Promise<Found> {
    const { world, patienceMs } = this.#options;
    return new Promise((resolve, reject) => {
      let timer: Timer | undefined;
      const finish = (): void => {
        this.#watchers.delete(watch);
        timer?.cancel();
      };
      const watch = (): void => {
        const found = look();
        if (found !== undefined) {
          finish();
          resolve(found);
        } else if (this.ended !== undefined) {
          finish();
          reject(new Unmet(`the connection was closed (code ${this.ended.code}) before ${what}${this.#lastSeen()}`));
        }
      };
      timer = world.timers.after(patienceMs, () => {
        finish();
        reject(new Unmet(`waited ${patienceMs / 1000} s for ${what}${this.#lastSeen()}`));
      });
      this.#watchers.add(watch);
      watch();
    });
  }

  /** Ends the connection without a word to the session, as a lost network would. */
  drop(): void {
    this.ended ??= { code: undefined };
    this.#socket.close();
  }

  /** Drops the connection, and waits for the runtime to know. */
  async hangUp(): Promise<void> {
    this.drop();
    const late = Promise.withResolvers<void>();
    const timer = this.#options.world.timers.after(HANG_UP_MS, late.resolve);
    await Promise.race([this.#gone.promise, late.promise]);
    timer.cancel();
  }

  #receive(data: unknown): void {
    const frame = readFrame(data);
    if (frame === undefined) this.strays++;
    else {
      this.frames.push(frame);
      if (frame.type === "session.ping" && this.answersPings) {
        const received_at = new Date(this.#options.world.clock.now()).toISOString();
        this.send("session.pong", { ping_nonce: frame.payload.nonce, received_at }, { session_id: frame.session_id });
      }
    }
    this.#tell();
  }

  #end(code: number | undefined): void {
    this.ended ??= { code };
    this.#gone.resolve();
    this.#tell();
  }

  #tell(): void {
    for (const watch of [...this.#watchers]) watch();
  }

  #lastSeen(): string {
    const last = this.frames.at(-1);
    if (last === undefined) return "; nothing has come";
    const code = typeof last.payload.code === "string" ? ` ${last.payload.code}` : "";
    return `; the last of ${this.frames.length} frames was ${last.type}${code}`;
  }
}
