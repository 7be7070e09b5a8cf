/** One client's durable conversation: outlives its connection, and with it a restart of the runtime. */
import type { JobId, SessionId } from "../kernel/ids.ts";
import type { SessionRow, StoredSession } from "../kernel/ports.ts";
import type { PrincipalKey } from "../kernel/principal.ts";
import type { Timer } from "../platform/world.ts";
import { hiddenCodes } from "../protocol/event-kinds.ts";
import type { Feature } from "../protocol/features.ts";
import type { Channel } from "./channel.ts";
import { SessionStream } from "./outbox/session-stream.ts";

export class Session {
  readonly id: SessionId;
  readonly principal: PrincipalKey;
  /** Negotiated at the first welcome; a resume changes nothing. */
  readonly features: ReadonlySet<Feature>;
  readonly stream: SessionStream;
  /** As it was last committed, or is about to be. */
  row: SessionRow;
  /** Segments up to this `event_seq` are freed, or about to be. */
  released: number;
  /** The highest `event_seq` acknowledged in this life of the session; what lies between is being freed. */
  acknowledged: number;
  /** Freeing is under way. */
  releasing = false;
  /** The live connection, if there is one. */
  channel: Channel | undefined;
  /** Runs while there is none. */
  window: Timer | undefined;
  /** Resumptions under way: the session must not end under them. */
  resuming = 0;
  /** The client has said that it is through with the session (§6.7): nothing is kept for it after the window. */
  closed = false;
  /** Requests under way: what a submission makes the session follow is known only when it is durable. */
  underWay = 0;
  /** Subscriptions on their way to the store. */
  subscribing = 0;
  /** The last piece of work begun for each job; gone when it is done. */
  readonly #turns = new Map<JobId, Promise<void>>();

  /** @param mostUnacknowledged see `SessionLimits.maxUnacknowledgedEvents`. */
  constructor(stored: StoredSession, mostUnacknowledged = Number.POSITIVE_INFINITY) {
    const features = stored.features as readonly Feature[];
    this.id = stored.id;
    this.principal = stored.principal;
    this.features = new Set(features);
    this.row = stored;
    this.released = stored.released;
    this.acknowledged = stored.released;
    this.stream = new SessionStream({
      session: stored.id,
      hidden: hiddenCodes(features),
      head: stored.head,
      takesChildren: this.features.has("x-leasehold.delegation"),
      takesRequests: this.features.has("x-leasehold.permissions"),
      ...(this.features.has("ack") ? { mostUnacknowledged } : {}),
    });
    for (const follow of stored.follows) {
      this.stream.follow(follow.job, follow.cursor, follow.mayCancel);
      this.stream.lag(follow.job);
    }
  }

  /**
   * There are, or may yet be, events that the client has not acknowledged and could: they are kept beyond the window (§6.5).
   * An acknowledgement that has freed nothing yet is forgotten by a restart.
   */
  get owesEvents(): boolean {
    if (!this.features.has("ack") || this.closed) return false;
    return this.stream.head > this.acknowledged || this.stream.follows.size > 0;
  }

  /** Runs `work` after what was asked before about the same job: whether the session follows it is settled one by one. */
  async inTurn(job: JobId, work: () => void | Promise<void>): Promise<void> {
    const turn = (this.#turns.get(job) ?? Promise.resolve()).then(work);
    const settled = turn.catch(() => {});
    this.#turns.set(job, settled);
    try {
      await turn;
    } finally {
      if (this.#turns.get(job) === settled) this.#turns.delete(job);
    }
  }
}
