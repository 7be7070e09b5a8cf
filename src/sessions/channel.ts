/**
 * One live connection of the ARCP face: encodes what is sent on it, keeps answers to submissions in the order of the
 * requests, and knows when each side was last heard.
 */
import type { Clock, Ids } from "../platform/world.ts";
import { encode } from "../protocol/codec.ts";
import { ARCP_VERSION } from "../protocol/envelope.ts";
import type { CodedError, ErrorBody } from "../protocol/errors.ts";
import type { Message, MessageOf, PayloadOf } from "../protocol/registry.ts";
import type { Connection } from "../transports/connection.ts";

type Outgoing = Exclude<Message<"to-client">["type"], "job.event" | "job.result" | "job.error">;

/** An answer that leaves once it is known and every earlier slot has left. */
export interface ReplySlot {
  answer<Type extends Outgoing>(type: Type, payload: PayloadOf<Type>, envelope?: EnvelopeFields): void;
  refuse(error: ErrorBody, requestId?: string): void;
  /** False while it waits for the answer, or for an earlier one. A connection that is gone holds nothing up. */
  readonly hasLeft: boolean;
  /** Resolves when every earlier slot has left: an answer given then leaves at once. */
  turn(): Promise<void>;
  /** Calls `then` when it leaves. */
  whenLeft(then: () => void): void;
}

interface Slot {
  frame: string | undefined;
  left: boolean;
  onLeft: (() => void) | undefined;
  /** Called when every earlier slot has left. */
  onFirst?: () => void;
}

interface EnvelopeFields {
  readonly job_id?: string;
  readonly trace_id?: string;
}

export class Channel {
  readonly connection: Connection;
  readonly #ids: Ids;
  readonly #clock: Clock;
  readonly #onRefused: (code: string) => void;
  /** Answers to submissions still unknown, or known but waiting for earlier ones. */
  #slots: Slot[] = [];
  #gone = false;
  /** Set by the welcome; from then on every envelope names the session. */
  sessionId: string | undefined;
  lastSentAt: number;
  lastReceivedAt: number;

  /** @param onRefused hears of every refusal that is sent. */
  constructor(connection: Connection, ids: Ids, clock: Clock, onRefused: (code: string) => void = () => {}) {
    this.connection = connection;
    this.#onRefused = onRefused;
    this.#ids = ids;
    this.#clock = clock;
    this.lastSentAt = clock.now();
    this.lastReceivedAt = this.lastSentAt;
  }

  send<Type extends Outgoing>(type: Type, payload: PayloadOf<Type>, envelope: EnvelopeFields = {}): void {
    this.#write(this.#frame(type, payload, envelope));
  }

  refuse(error: ErrorBody | CodedError, requestId?: string): void {
    this.#write(this.#refusal("toBody" in error ? error.toBody() : error, requestId));
  }

  /** Takes the next place in the order of answers. Each slot must be answered exactly once. */
  reserveReply(): ReplySlot {
    const slot: Slot = { frame: undefined, left: this.#gone, onLeft: undefined };
    if (!slot.left) this.#slots.push(slot);
    const fill = (frame: string): void => {
      slot.frame = frame;
      while (this.#slots[0]?.frame !== undefined) {
        const first = this.#slots.shift() as Slot;
        this.#write(first.frame as string);
        leave(first);
      }
      this.#slots[0]?.onFirst?.();
    };
    return {
      answer: (type, payload, envelope = {}) => fill(this.#frame(type, payload, envelope)),
      refuse: (error, requestId) => fill(this.#refusal(error, requestId)),
      get hasLeft() {
        return slot.left;
      },
      whenLeft(then) {
        slot.onLeft = then;
      },
      turn: () =>
        new Promise((resolve) => {
          if (slot.left || this.#slots[0] === slot) resolve();
          else slot.onFirst = resolve;
        }),
    };
  }

  /** Nobody hears an answer any more. */
  get isGone(): boolean {
    return this.#gone;
  }

  /** The connection is gone: no answer waits for another any more. */
  abandon(): void {
    this.#gone = true;
    for (const slot of this.#slots.splice(0)) {
      leave(slot);
      slot.onFirst?.();
    }
  }

  close(code: number, reason: string): void {
    this.connection.close(code, reason);
  }

  #write(frame: string): void {
    this.lastSentAt = this.#clock.now();
    this.connection.send([frame]);
  }

  #refusal(error: ErrorBody, requestId: string | undefined): string {
    this.#onRefused(error.code);
    return this.#frame(
      "session.error",
      { ...error, ...(requestId === undefined ? {} : { request_id: requestId }) },
      {},
    );
  }

  #frame<Type extends Outgoing>(type: Type, payload: PayloadOf<Type>, envelope: EnvelopeFields): string {
    const message = {
      arcp: ARCP_VERSION,
      id: this.#ids.next("msg"),
      type,
      ...(this.sessionId === undefined ? {} : { session_id: this.sessionId }),
      ...envelope,
      payload,
    };
    // The registry ties `type` and `payload` together; TypeScript cannot follow that through a generic spread.
    return encode(message as MessageOf<Outgoing>);
  }
}

function leave(slot: Slot): void {
  slot.left = true;
  slot.onLeft?.();
}
