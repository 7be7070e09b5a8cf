/** Which sessions there are: made, loaded, parked while they have no connection, and ended when their window closes. */
import type { Kernel } from "../kernel/kernel.ts";
import type { SessionId, StoredSession } from "../kernel/ports.ts";
import { type Principal, principalKey } from "../kernel/principal.ts";
import type { Log } from "../platform/log.ts";
import type { World } from "../platform/world.ts";
import type { Feature } from "../protocol/features.ts";
import type { CatchUp } from "./outbox/catch-up.ts";
import type { Outbox } from "./outbox/outbox.ts";
import type { Channel } from "./channel.ts";
import { Session } from "./session.ts";
import { CLOSE } from "../transports/connection.ts";

/** Sessions ended in one commit when the windows of an earlier run close. */
const ENDED_PER_COMMIT = 500;

export class SessionRegistry {
  readonly #kernel: Kernel;
  readonly #outbox: Outbox;
  readonly #catchUp: CatchUp;
  readonly #world: World;
  readonly #log: Log;
  readonly #windowMs: number;
  readonly #sessions = new Map<SessionId, Session>();
  readonly #loading = new Map<SessionId, Promise<Session | undefined>>();

  constructor(options: { kernel: Kernel; outbox: Outbox; catchUp: CatchUp; world: World; log: Log; windowMs: number }) {
    this.#kernel = options.kernel;
    this.#outbox = options.outbox;
    this.#catchUp = options.catchUp;
    this.#world = options.world;
    this.#log = options.log;
    this.#windowMs = options.windowMs;
  }

  /** Every window starts anew with the process: when it closes, sessions nobody took up are over. */
  start(): { cancel(): void } {
    const startedAt = this.#world.clock.now();
    return this.#world.timers.after(this.#windowMs, () => {
      this.#endSessionsBefore(startedAt).catch((error: unknown) => {
        this.#log.error({ err: error }, "sessions of an earlier run could not be ended");
      });
    });
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** A session that is not stored yet, and that nobody can find before `attach`. */
  create(principal: Principal, features: readonly Feature[], tokenHash: string): Session {
    return new Session({
      id: this.#world.ids.next("sess"),
      principal: principalKey(principal),
      features,
      createdAt: this.#world.clock.now(),
      newestToken: tokenHash,
      presentedToken: null,
      head: 0,
      released: 0,
      follows: [],
    });
  }

  /** The session with this id, from memory or from the store; undefined when it is over or never was. */
  async find(id: SessionId): Promise<Session | undefined> {
    const known = this.#sessions.get(id) ?? this.#loading.get(id);
    if (known !== undefined) return known;
    const loading = this.#load(id);
    this.#loading.set(id, loading);
    try {
      return await loading;
    } finally {
      this.#loading.delete(id);
    }
  }

  /** Puts a connection under a session, which is sent everything after `lastEventSeq`. An older one has to go. */
  attach(session: Session, channel: Channel, lastEventSeq: number): void {
    if (!this.#sessions.has(session.id)) this.#enter(session);
    session.window?.cancel();
    session.window = undefined;
    const older = session.channel;
    session.channel = channel;
    session.stream.attach(channel.connection, lastEventSeq);
    older?.close(CLOSE.superseded, "a newer connection has resumed this session");
    void this.#catchUp.run(session.stream, channel.connection);
  }

  /** The connection is gone: the session waits in its window. */
  detach(session: Session, channel: Channel): void {
    session.stream.detach(channel.connection);
    if (session.channel !== channel) return;
    session.channel = undefined;
    this.#park(session);
  }

  #enter(session: Session): void {
    this.#sessions.set(session.id, session);
    this.#outbox.add(session.stream);
  }

  #park(session: Session): void {
    session.window = this.#world.timers.after(this.#windowMs, () => this.#end(session));
  }

  #end(session: Session): void {
    this.#sessions.delete(session.id);
    this.#outbox.remove(session.stream);
    this.#kernel.plan(() => ({ rows: { endedSessions: [session.id] }, committed() {} }));
  }

  async #load(id: SessionId): Promise<Session | undefined> {
    const stored: StoredSession | undefined = await this.#kernel.readSession(id);
    if (stored === undefined) return undefined;
    const session = new Session(stored);
    this.#enter(session);
    this.#park(session);
    return session;
  }

  async #endSessionsBefore(startedAt: number): Promise<void> {
    const stored = await this.#kernel.listSessions(startedAt);
    for (let from = 0; from < stored.length; from += ENDED_PER_COMMIT) {
      const page = stored.slice(from, from + ENDED_PER_COMMIT);
      // Looked at again when the batch is made: a session may have been taken up meanwhile.
      this.#kernel.plan(() => {
        const endedSessions = page.filter((id) => !this.#sessions.has(id) && !this.#loading.has(id));
        return endedSessions.length === 0 ? undefined : { rows: { endedSessions }, committed() {} };
      });
    }
  }

  /** Closes every connection; the sessions stay resumable. */
  close(): void {
    for (const session of this.#sessions.values()) {
      session.window?.cancel();
      session.channel?.close(CLOSE.goingAway, "the runtime is shutting down");
    }
  }
}
