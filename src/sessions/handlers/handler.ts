/** What a message handler is given, and what all of them are: one function per message type. */
import type { Visibility } from "../../identity/visibility.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Principal } from "../../kernel/principal.ts";
import type { World } from "../../platform/world.ts";
import type { Message, MessageOf } from "../../protocol/registry.ts";
import type { Channel } from "../channel.ts";
import type { SessionLimits } from "../limits.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { Session } from "../session.ts";
import type { Turns } from "../turns.ts";

export interface HandlerContext {
  readonly kernel: Kernel;
  readonly visibility: Visibility;
  readonly outbox: Outbox;
  readonly world: World;
  readonly principal: Principal;
  readonly session: Session;
  readonly channel: Channel;
  readonly turns: Turns;
  readonly limits: SessionLimits;
}

/**
 * Handles one message. What it throws is answered with `session.error` naming the request.
 * @throws CodedError
 */
export type Handler<Type extends Message<"to-runtime">["type"]> = (
  context: HandlerContext,
  message: MessageOf<Type>,
) => void | Promise<void>;
