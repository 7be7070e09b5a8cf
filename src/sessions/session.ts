/** One client's durable conversation: outlives its connection, and with it a restart of the runtime. */
import type { SessionId, SessionRow, StoredSession } from "../kernel/ports.ts";
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
  /** As it was last committed. */
  row: SessionRow;
  /** Segments up to this `event_seq` are freed, or about to be. */
  released: number;
  /** The live connection, if there is one. */
  channel: Channel | undefined;
  /** Runs while there is none. */
  window: Timer | undefined;

  constructor(stored: StoredSession) {
    const features = stored.features as readonly Feature[];
    this.id = stored.id;
    this.principal = stored.principal;
    this.features = new Set(features);
    this.row = stored;
    this.released = stored.released;
    this.stream = new SessionStream({ session: stored.id, hidden: hiddenCodes(features), head: stored.head });
    for (const follow of stored.follows) this.stream.follow(follow.job, follow.cursor, follow.mayCancel);
  }
}
