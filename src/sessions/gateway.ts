/** Every connection that comes in, from any transport: its conversation, and a look at it now and then until it closes. */
import type { Timer } from "../platform/world.ts";
import { CLOSE } from "../protocol/framing.ts";
import type { Connection } from "../transports/connection.ts";
import { Channel } from "./channel.ts";
import { Conversation, type ConversationOptions, type ConversationParts } from "./conversation.ts";
import { Handshake } from "./handshake.ts";
import { CatchUp } from "./outbox/catch-up.ts";
import { Partings } from "./partings.ts";
import { Principals } from "./principals.ts";
import { countSessions, type SessionCounts } from "./session-counts.ts";
import { SessionRegistry } from "./session-registry.ts";
import { Turns } from "./turns.ts";

/**
 * How often connections are looked at: a token that was revoked, or has expired, holds one open no longer than that, and
 * what is not read is noticed.
 */
const LOOK_MS = 10_000;

export interface GatewayOptions extends ConversationOptions {
  readonly runtime: { readonly name: string; readonly version: string };
  readonly resumeWindowSec: number;
  /** Hears of every refusal that is sent. */
  readonly onRefused?: (code: string) => void;
}

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #registry: SessionRegistry;
  readonly #parts: ConversationParts;
  readonly #conversations = new Map<Channel, Conversation>();
  /** Runs while there are connections. */
  #nextCheck: Timer | undefined;
  #closed = false;

  constructor(options: GatewayOptions) {
    const { kernel, outbox, world, log } = options;
    this.#options = options;
    const catchUp = new CatchUp({ kernel, outbox, world, log });
    const principals = new Principals(options.limits, world.clock);
    this.#registry = new SessionRegistry({
      kernel,
      outbox,
      catchUp,
      world,
      log,
      windowMs: options.resumeWindowSec * 1000,
      limits: options.limits,
      principals,
    });
    this.#parts = {
      handshake: new Handshake({ ...options, registry: this.#registry, principals }),
      registry: this.#registry,
      turns: new Turns(world.timers),
      principals,
      partings: new Partings(world.timers),
    };
  }

  /**
   * Starts the windows of sessions from an earlier run. Call once, when the kernel has started, and accept nothing before
   * it resolves.
   */
  start(): Promise<void> {
    return this.#registry.start();
  }

  /** Takes charge of a new connection. */
  accept(connection: Connection): void {
    const { world, log } = this.#options;
    const channel = new Channel(connection, world.ids, world.clock, this.#options.onRefused);
    const conversation = new Conversation(channel, this.#options, this.#parts);
    this.#conversations.set(channel, conversation);
    this.#scheduleCheck();
    connection.open({
      frame: (text) => conversation.receive(text),
      drained: () => conversation.drained(),
      closed: (code, reason) => {
        this.#conversations.delete(channel);
        if (this.#conversations.size === 0) this.#cancelCheck();
        log.debug({ address: connection.peer.address, code, reason }, "a connection closed");
        conversation.closed();
      },
    });
  }

  get sessions(): number {
    return this.#registry.size;
  }

  /** Connections that are open, whether or not they have come to a session. */
  get connections(): number {
    return this.#conversations.size;
  }

  /** How the sessions of this process stand; see `countSessions`. */
  countSessions(): Promise<SessionCounts> {
    return countSessions(this.#registry.values(), this.#options.kernel);
  }

  /** Closes all connections. Sessions stay resumable. */
  close(): void {
    this.#closed = true;
    this.#cancelCheck();
    this.#registry.close();
    for (const channel of this.#conversations.keys()) channel.close(CLOSE.goingAway, "the runtime is shutting down");
  }

  #scheduleCheck(): void {
    if (this.#closed || this.#conversations.size === 0) return;
    this.#nextCheck ??= this.#options.world.timers.after(LOOK_MS, () => void this.#check());
  }

  #cancelCheck(): void {
    this.#nextCheck?.cancel();
    this.#nextCheck = undefined;
  }

  /** One connection after the other: thousands at once would hold everything up. */
  async #check(): Promise<void> {
    for (const conversation of [...this.#conversations.values()]) {
      conversation.closeIfUnread();
      await conversation.authenticateAgain();
    }
    this.#nextCheck = undefined;
    this.#scheduleCheck();
  }
}
