/**
 * One connection's conversation, from its first frame to its end: the greeting, then every message to its handler. A
 * malformed frame is answered, never dropped in silence; too many in a row end the connection.
 */

import type { Authenticator, Credentials } from "../identity/authenticator.ts";
import type { Visibility } from "../identity/visibility.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type Principal, principalKey } from "../kernel/principal.ts";
import type { Log } from "../platform/log.ts";
import type { TokenBucket } from "../platform/token-bucket.ts";
import type { Timer, World } from "../platform/world.ts";
import { decode, type Refused } from "../protocol/codec.ts";
import { CodedError } from "../protocol/errors.ts";
import { CLOSE, MAX_FRAME_BYTES } from "../protocol/framing.ts";
import type { Message } from "../protocol/registry.ts";
import type { Channel } from "./channel.ts";
import type { HandlerContext } from "./handlers/handler.ts";
import type { Handshake } from "./handshake.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { endHiddenFollows } from "./hidden-follows.ts";
import { beyondLimit, isBeyondLimit, messageBucket, type SessionLimits } from "./limits.ts";
import type { Outbox } from "./outbox/outbox.ts";
import type { Partings } from "./partings.ts";
import type { Principals } from "./principals.ts";
import { route } from "./router.ts";
import type { Session } from "./session.ts";
import type { SessionRegistry } from "./session-registry.ts";
import type { Turns } from "./turns.ts";

/** How long a connection may take for its first frame. */
const FIRST_FRAME_MS = 10_000;
/** Malformed frames in a row after which the connection is closed. */
const MAX_MALFORMED_FRAMES = 8;
/** Frames that may wait for the welcome, and their length together; a client that sends more ahead of it is closed. */
const MAX_EARLY_FRAMES = 256;
const MAX_EARLY_LENGTH = MAX_FRAME_BYTES;
/** Messages in a row refused for their rate, after which the connection is closed: the client does not heed them. */
const MAX_UNHEEDED = 1_000;

export interface ConversationOptions {
  readonly kernel: Kernel;
  readonly visibility: Visibility;
  readonly outbox: Outbox;
  readonly authenticator: Authenticator;
  readonly world: World;
  readonly log: Log;
  readonly heartbeatIntervalSec: number;
  readonly limits: SessionLimits;
}

/** What all conversations of a gateway have in common. */
export interface ConversationParts {
  readonly handshake: Handshake;
  readonly registry: SessionRegistry;
  readonly turns: Turns;
  readonly principals: Principals;
  readonly partings: Partings;
}

export class Conversation {
  readonly #channel: Channel;
  readonly #options: ConversationOptions;
  readonly #handshake: Handshake;
  readonly #registry: SessionRegistry;
  readonly #turns: Turns;
  readonly #principals: Principals;
  readonly #greeting: Timer;
  /** What came between the first frame and the welcome: it is answered after the welcome. */
  #early: string[] | undefined;
  #earlyLength = 0;
  #context: HandlerContext | undefined;
  /** What the first frame was authenticated by. */
  #credentials: Credentials | undefined;
  #heartbeat: Timer | undefined;
  #malformed = 0;
  readonly #rate: TokenBucket;
  /** Messages in a row refused for their rate. */
  #unheeded = 0;
  /** Since when the peer has left more unread than it may; undefined while it has not. */
  #unreadSince: number | undefined;
  /** We have closed the connection: what still comes is not listened to. */
  #deaf = false;
  #closed = false;

  constructor(channel: Channel, options: ConversationOptions, parts: ConversationParts) {
    const { handshake, registry, turns, principals, partings } = parts;
    this.#channel = channel;
    this.#options = options;
    this.#handshake = handshake;
    this.#registry = registry;
    this.#turns = turns;
    this.#principals = principals;
    this.#rate = messageBucket(options.limits.maxMessagesPerSecond, options.world.clock.now());
    this.#greeting = options.world.timers.after(FIRST_FRAME_MS, () => partings.add(() => this.#giveUp()));
  }

  /** Nothing was said in time, unless it was said in the last moment. */
  #giveUp(): void {
    if (this.#closed || this.#deaf || this.#early !== undefined || this.#context !== undefined) return;
    this.#channel.refuse(
      new CodedError("INVALID_REQUEST", `the first message did not come within ${FIRST_FRAME_MS / 1000} seconds`),
    );
    this.#close(CLOSE.invalidMessage, "no hello");
  }

  receive(text: string): void {
    if (this.#deaf) return;
    this.#channel.lastReceivedAt = this.#options.world.clock.now();
    if (this.#early !== undefined) return this.#keepEarly(this.#early, text);
    const decoded = decode(text, "to-runtime");
    if (!decoded.ok) return this.#refuseMalformed(decoded);
    this.#malformed = 0;
    if (this.#context === undefined) void this.#greet(decoded.message);
    else if (this.#isTimely(this.#context, decoded.message))
      void route(this.#context, decoded.message, this.#options.log);
  }

  /** False when the message came too soon after others: it has been refused then. */
  #isTimely({ session }: HandlerContext, { type, id }: Message<"to-runtime">): boolean {
    // Advisory and never answered: a refusal would cost as much as it does.
    if (type === "session.ack") return true;
    const waitMs = this.#rate.take(this.#options.world.clock.now());
    const principalWaitMs = waitMs > 0 ? 0 : this.#principals.takeMessage(session.principal);
    if (waitMs === 0 && principalWaitMs === 0) {
      this.#unheeded = 0;
      return true;
    }
    const refusal =
      waitMs > 0
        ? beyondLimit("maxMessagesPerSecond", `too many messages come at once; wait ${waitMs} ms`, waitMs)
        : beyondLimit(
            "maxMessagesPerSecondPerPrincipal",
            `too many messages of yours come at once; wait ${principalWaitMs} ms`,
            principalWaitMs,
          );
    // An answer to a submission has its place among the others.
    if (type === "job.submit") this.#channel.reserveReply().refuse(refusal.toBody(), id);
    else this.#channel.refuse(refusal, id);
    if (++this.#unheeded >= MAX_UNHEEDED) this.#close(CLOSE.beyondLimit, "too many messages");
    return false;
  }

  #keepEarly(early: string[], text: string): void {
    this.#earlyLength += text.length;
    if (early.push(text) > MAX_EARLY_FRAMES || this.#earlyLength > MAX_EARLY_LENGTH) {
      this.#close(CLOSE.invalidMessage, "too many messages ahead of the welcome");
    }
  }

  #close(code: number, reason: string): void {
    this.#deaf = true;
    this.#early = undefined;
    this.#channel.close(code, reason);
  }

  /** Asks again who this is: a token that was revoked, or has expired, takes its live connections with it. */
  async authenticateAgain(): Promise<void> {
    const { authenticator, log } = this.#options;
    if (this.#context === undefined || this.#credentials === undefined || this.#deaf) return;
    try {
      const principal = await authenticator.authenticate(this.#credentials);
      if (principal !== undefined && principalKey(principal) === this.#context.session.principal) {
        return await this.#takeRoles(this.#context, principal);
      }
    } catch (error) {
      // Whoever is in stays in: a token file that cannot be read says nothing about this token.
      log.error({ err: error }, "a live connection could not be authenticated again");
      return;
    }
    this.#channel.refuse(new CodedError("UNAUTHENTICATED", "the token of this connection was revoked or has expired"));
    this.#close(CLOSE.unauthenticated, "UNAUTHENTICATED");
  }

  /** Roles may have been given or taken: what they allowed ends with them. */
  async #takeRoles(context: HandlerContext, principal: Principal): Promise<void> {
    if (sameRoles(context.principal, principal)) return;
    this.#context = { ...context, principal };
    try {
      await endHiddenFollows({ ...context, timers: context.world.timers }, context.session, principal);
    } catch (error) {
      this.#options.log.error({ err: error }, "subscriptions could not be ended with the role that allowed them");
      // A resume ends them, or lets nobody in.
      this.#close(CLOSE.internalError, "INTERNAL_ERROR");
    }
  }

  /** A peer that takes nothing for too long loses its connection; its session waits in its window. */
  closeIfUnread(): void {
    const { world, limits } = this.#options;
    if (!this.#channel.connection.overloaded) {
      this.#unreadSince = undefined;
      return;
    }
    this.#unreadSince ??= world.clock.now();
    if (world.clock.now() - this.#unreadSince < limits.maxUnreadSec * 1000) return;
    this.#channel.refuse(new CodedError("INTERNAL_ERROR", `nothing was read for ${limits.maxUnreadSec} seconds`));
    this.#close(CLOSE.internalError, "what was sent is not read");
  }

  drained(): void {
    this.#unreadSince = undefined;
    this.#context?.session.stream.signal();
  }

  closed(): void {
    this.#closed = true;
    this.#greeting.cancel();
    this.#heartbeat?.cancel();
    this.#channel.abandon();
    if (this.#context !== undefined) this.#leave(this.#context.session);
  }

  #leave(session: Session): void {
    this.#principals.removeConnection(session.principal);
    this.#registry.detach(session, this.#channel);
  }

  async #greet(message: Message<"to-runtime">): Promise<void> {
    this.#greeting.cancel();
    this.#early = [];
    try {
      const { principal, session, credentials } = await this.#handshake.welcome(this.#channel, message);
      this.#credentials = credentials;
      const { kernel, visibility, outbox, world, limits, heartbeatIntervalSec } = this.#options;
      const who = { principal, session, channel: this.#channel };
      const context: HandlerContext = { kernel, visibility, outbox, world, limits, turns: this.#turns, ...who };
      this.#context = context;
      if (this.#closed) return this.#leave(session);
      if (session.features.has("heartbeat")) {
        this.#heartbeat = startHeartbeat(this.#channel, heartbeatIntervalSec * 1000, world);
      }
      const early = this.#early ?? [];
      this.#early = undefined;
      for (const text of early) this.receive(text);
    } catch (error) {
      this.#refuseGreeting(error, message.id);
    }
  }

  #refuseGreeting(error: unknown, requestId: string): void {
    const refusal =
      error instanceof CodedError ? error : new CodedError("INTERNAL_ERROR", "the session could not be opened");
    const code = closeCodeOf(refusal);
    if (code === CLOSE.internalError) this.#options.log.error({ err: error }, "a handshake failed");
    this.#channel.refuse(refusal, requestId);
    this.#close(code, refusal.code);
  }

  #refuseMalformed(refused: Refused): void {
    const { error, requestId, type } = refused;
    // An answer to a submission has its place among the others, whatever is wrong with the submission.
    if (type === "job.submit") this.#channel.reserveReply().refuse(error, requestId);
    else this.#channel.refuse(error, requestId);
    this.#malformed++;
    const hopeless = this.#malformed >= MAX_MALFORMED_FRAMES;
    if (hopeless || this.#context === undefined) this.#close(CLOSE.invalidMessage, "malformed message");
  }
}

/** How a connection is closed whose first frame was refused. */
function closeCodeOf(refusal: CodedError): number {
  if (isBeyondLimit(refusal)) return CLOSE.beyondLimit;
  if (refusal.code === "UNAUTHENTICATED") return CLOSE.unauthenticated;
  return refusal.code === "INTERNAL_ERROR" ? CLOSE.internalError : CLOSE.invalidMessage;
}

function sameRoles(one: Principal, other: Principal): boolean {
  return one.roles.length === other.roles.length && one.roles.every((role) => other.roles.includes(role));
}
