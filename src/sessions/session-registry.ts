/** Which sessions there are: made, loaded, parked while they have no connection, and ended when their window closes. */

import type { SessionId } from "../kernel/ids.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { StoredSession } from "../kernel/ports.ts";
import { type Principal, principalKey } from "../kernel/principal.ts";
import type { Log } from "../platform/log.ts";
import type { Timer, World } from "../platform/world.ts";
import type { Feature } from "../protocol/features.ts";
import { CLOSE } from "../protocol/framing.ts";
import type { Channel } from "./channel.ts";
import type { CatchUp } from "./outbox/catch-up.ts";
import type { Outbox } from "./outbox/outbox.ts";
import { Session } from "./session.ts";

/** Sessions ended in one commit when the windows of an earlier run close. */
const ENDED_PER_COMMIT = 500;
/** After a fault of the store: how long until sessions that are over are ended again. */
const END_RETRY_MS = 1_000;

export class SessionRegistry {
  readonly #kernel: Kernel;
  readonly #outbox: Outbox;
  readonly #catchUp: CatchUp;
  readonly #world: World;
  readonly #log: Log;
  readonly #windowMs: number;
  readonly #sessions = new Map<SessionId, Session>();
  readonly #retries = new Set<Timer>();
  readonly #loading = new Map<SessionId, Promise<Session | undefined>>();
  /** Sessions whose end is on its way to the store, where they may still be read: nobody finds them any more. */
  readonly #ending = new Set<SessionId>();
  #closed = false;

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
    return this.#world.timers.after(this.#windowMs, () => {
      this.#endForgottenSessions().catch((error: unknown) => {
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
    if (this.#ending.has(id)) return undefined;
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
    this.takeUp(session);
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
    this.park(session);
  }

  /** Somebody who may resume the session is here: its window does not close on them. Until `attach`, or `park`. */
  takeUp(session: Session): void {
    session.window?.cancel();
    session.window = undefined;
  }

  /** Starts the window of a session that has no connection. */
  park(session: Session): void {
    if (session.channel !== undefined || session.resuming > 0 || this.#closed) return;
    session.window?.cancel();
    session.window = this.#world.timers.after(this.#windowMs, () => this.#end(session));
  }

  #enter(session: Session): void {
    this.#sessions.set(session.id, session);
    this.#outbox.add(session.stream);
  }

  #end(session: Session): void {
    this.#sessions.delete(session.id);
    this.#outbox.remove(session.stream);
    this.#planEnd(() => [session.id]);
    // From now on, and not only once it is planned.
    this.#ending.add(session.id);
  }

  #planEnd(choose: () => readonly SessionId[]): void {
    this.#kernel.plan(() => {
      const endedSessions = choose();
      if (endedSessions.length === 0) return undefined;
      for (const id of endedSessions) this.#ending.add(id);
      const forget = (): void => {
        for (const id of endedSessions) this.#ending.delete(id);
      };
      const retry = (): void => {
        forget();
        if (this.#closed) return;
        const timer = this.#world.timers.after(END_RETRY_MS, () => {
          this.#retries.delete(timer);
          this.#planEnd(() => endedSessions.filter((id) => !this.#sessions.has(id) && !this.#loading.has(id)));
        });
        this.#retries.add(timer);
      };
      return { rows: { endedSessions }, committed: forget, failed: retry };
    });
  }

  async #load(id: SessionId): Promise<Session | undefined> {
    const stored: StoredSession | undefined = await this.#kernel.readSession(id);
    if (stored === undefined) return undefined;
    const session = new Session(stored);
    this.#enter(session);
    this.park(session);
    return session;
  }

  async #endForgottenSessions(): Promise<void> {
    const stored = await this.#kernel.listSessions();
    for (let from = 0; from < stored.length; from += ENDED_PER_COMMIT) {
      const page = stored.slice(from, from + ENDED_PER_COMMIT);
      // Looked at again when the batch is made: a session may have been taken up meanwhile.
      this.#planEnd(() => page.filter((id) => !this.#sessions.has(id) && !this.#loading.has(id)));
    }
  }

  /** Closes every connection; the sessions stay resumable. */
  close(): void {
    for (const timer of this.#retries) timer.cancel();
    this.#closed = true;
    for (const session of this.#sessions.values()) {
      session.window?.cancel();
      const { channel } = session;
      if (channel === undefined) continue;
      // Let go of first: the store closes next, and nothing may be read from it any more.
      session.stream.detach(channel.connection);
      channel.close(CLOSE.goingAway, "the runtime is shutting down");
    }
  }
}
