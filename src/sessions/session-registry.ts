/**
 * Which sessions there are: made, loaded, parked while they have no connection, and ended. How long a session is kept:
 *
 *   connected   as long as the connection lives
 *   parked      for the resume window, which runs from the drop of the connection, and anew from a start of the runtime
 *   kept        after its window, if `ack` was negotiated and it owes events that were not acknowledged (§6.5): until it
 *               is resumed, or goes beyond `maxParkedBytes`, its principal's `maxParkedBytesPerPrincipal`, or the number
 *               of sessions a principal may have; the one whose window closed first goes first. Costs an account, no more
 *   over        its row, segments and follows are gone, and a resume is answered with RESUME_WINDOW_EXPIRED. Jobs and
 *               their logs stay: what happened is to be had by `job.subscribe` with history
 *
 * Without `ack`, and after a `session.close`, the window alone decides. A restart forgets that a session was closed, and
 * acknowledgements that have freed nothing yet: such a session may be kept, within the same limits.
 */

import type { SessionId } from "../kernel/ids.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Rows, SessionSummary, StoredSession } from "../kernel/ports.ts";
import { type Principal, principalKey } from "../kernel/principal.ts";
import type { Log } from "../platform/log.ts";
import type { Timer, World } from "../platform/world.ts";
import type { Feature } from "../protocol/features.ts";
import { CLOSE } from "../protocol/framing.ts";
import type { Channel } from "./channel.ts";
import type { SessionLimits } from "./limits.ts";
import type { CatchUp } from "./outbox/catch-up.ts";
import type { Outbox } from "./outbox/outbox.ts";
import type { Principals } from "./principals.ts";
import { Session } from "./session.ts";
import { SessionKeeper } from "./session-keeper.ts";

/** Sessions ended in one commit when the windows of an earlier run close. */
const ENDED_PER_COMMIT = 500;
/** Segments of a session that is over that go in one commit: more would hold up everybody else. */
const FREED_PER_COMMIT = 2_048;
/** After a fault of the store: how long until sessions that are over are ended again. */
const END_RETRY_MS = 1_000;

export interface SessionRegistryOptions {
  readonly kernel: Kernel;
  readonly outbox: Outbox;
  readonly catchUp: CatchUp;
  readonly world: World;
  readonly log: Log;
  readonly windowMs: number;
  readonly limits: SessionLimits;
  readonly principals: Principals;
}

export class SessionRegistry {
  readonly #options: SessionRegistryOptions;
  readonly #kernel: Kernel;
  readonly #world: World;
  readonly #sessions = new Map<SessionId, Session>();
  readonly #keeper: SessionKeeper;
  readonly #timers = new Set<Timer>();
  readonly #loading = new Map<SessionId, Promise<Session | undefined>>();
  /** Sessions whose end is on its way to the store, where they may still be read: nobody finds them any more. */
  readonly #ending = new Set<SessionId>();
  #closed = false;

  constructor(options: SessionRegistryOptions) {
    this.#options = options;
    this.#kernel = options.kernel;
    this.#world = options.world;
    this.#keeper = new SessionKeeper({ ...options, end: (session) => this.#endStored([session]) });
  }

  /** Every window starts anew with the process: when it closes, sessions nobody took up are over, or kept. */
  async start(): Promise<void> {
    this.#options.principals.addStored(await this.#kernel.listSessions());
    this.#closeForgottenWindowsIn(this.#options.windowMs);
  }

  /** Sessions that are connected, or in their window. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Sessions that are connected, or in their window. */
  values(): IterableIterator<Session> {
    return this.#sessions.values();
  }

  /**
   * A session that is not stored yet, and that nobody can find before `attach`. Counts from now on, until `discard`.
   * @throws CodedError when the principal has as many as it may.
   */
  create(id: SessionId, principal: Principal, features: readonly Feature[], tokenHash: string): Session {
    const key = principalKey(principal);
    this.#options.principals.addSession(key, id, () => this.#keeper.makeRoom(key));
    const row = { id, principal: key, features, createdAt: this.#world.clock.now() };
    return this.#session({
      ...row,
      newestToken: tokenHash,
      presentedToken: null,
      head: 0,
      released: 0,
      follows: [],
    });
  }

  /** A session that was created could not be stored. */
  discard(session: Session): void {
    this.#options.principals.removeSession(session.principal, session.id);
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
    session.closed = false;
    session.stream.attach(channel.connection, lastEventSeq);
    older?.close(CLOSE.superseded, "a newer connection has resumed this session");
    void this.#options.catchUp.run(session.stream, channel.connection);
  }

  /** The connection is gone: the session waits in its window. */
  detach(session: Session, channel: Channel): void {
    session.stream.detach(channel.connection);
    if (session.channel !== channel) return;
    session.channel = undefined;
    this.park(session);
  }

  /**
   * Somebody who may resume the session is here: its window does not close on them. Until `attach`, or `park`.
   * @returns false when it is over: it had to go in the very moment in which it was found.
   */
  takeUp(session: Session): boolean {
    session.window?.cancel();
    session.window = undefined;
    if (this.#ending.has(session.id)) return false;
    if (this.#keeper.has(session)) {
      this.#keeper.forget(session);
      this.#enter(session);
      for (const job of session.stream.follows.keys()) session.stream.lag(job);
    }
    return true;
  }

  /** Starts the window of a session that has no connection. */
  park(session: Session): void {
    if (session.channel !== undefined || session.resuming > 0 || this.#closed) return;
    session.window?.cancel();
    session.window = this.#world.timers.after(this.#options.windowMs, () => {
      session.window = undefined;
      if (session.owesEvents) void this.#keep(session);
      else this.#end(session);
    });
  }

  #session(stored: StoredSession): Session {
    return new Session(stored, this.#options.limits.maxUnacknowledgedEvents);
  }

  #enter(session: Session): void {
    this.#sessions.set(session.id, session);
    this.#options.outbox.add(session.stream);
  }

  #leave(session: Session): void {
    this.#sessions.delete(session.id);
    this.#options.outbox.remove(session.stream);
  }

  /** The window of a session that owes events has closed: it goes from memory, and stays in the store if there is room. */
  async #keep(session: Session): Promise<void> {
    const { id, stream } = session;
    this.#freeAcknowledged(session);
    try {
      await this.#keeper.keep(session, [...stream.follows.keys()], () => {
        const wasTakenUp = session.channel !== undefined || session.resuming > 0 || session.window !== undefined;
        if (this.#closed || wasTakenUp || this.#sessions.get(id) !== session) return false;
        if (session.underWay > 0) {
          this.park(session);
          return false;
        }
        this.#leave(session);
        return true;
      });
    } catch (error) {
      if (this.#closed) return;
      this.#options.log.error(
        { session: id, err: error },
        "what a session keeps cannot be read; its window starts anew",
      );
      this.park(session);
    }
  }

  /** What has been acknowledged, and was too little to be worth a write of its own. */
  #freeAcknowledged(session: Session): void {
    if (session.releasing || session.acknowledged <= session.released) return;
    const upTo = session.acknowledged;
    session.released = upTo;
    this.#kernel.plan(() => ({ rows: { releases: [{ session: session.id, upTo }] }, committed() {} }));
  }

  #end(session: Session): void {
    this.#leave(session);
    this.#endStored([session]);
  }

  /** Ends sessions that are not in memory. Nobody finds them from now on, and not only once it is planned. */
  #endStored(sessions: readonly SessionSummary[]): void {
    for (const { id, principal } of sessions) {
      this.#ending.add(id);
      this.#loading.delete(id);
      this.#keeper.forget({ id, principal });
      this.#options.principals.removeSession(principal, id);
    }
    this.#planEnd(sessions.map(({ id }) => id));
  }

  #planEnd(endedSessions: readonly SessionId[]): void {
    this.#freeAll(endedSessions).then(
      () => {
        for (const id of endedSessions) this.#ending.delete(id);
      },
      () => {
        if (!this.#closed) this.#after(END_RETRY_MS, () => this.#planEnd(endedSessions));
      },
    );
  }

  /** The places of a session go first, step by step: one that never acknowledged anything may have millions. */
  async #freeAll(endedSessions: readonly SessionId[]): Promise<void> {
    for (const session of endedSessions) {
      for (;;) {
        const segments = await this.#kernel.readSegments(session, 0, FREED_PER_COMMIT);
        if (segments.length < FREED_PER_COMMIT) break;
        const upTo = segments.at(-1)?.lastEventSeq ?? 0;
        await this.#commit({ releases: [{ session, upTo }] });
      }
    }
    await this.#commit({ endedSessions });
  }

  #commit(rows: Partial<Rows>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#kernel.plan(() => ({ rows, committed: resolve, failed: reject }));
    });
  }

  async #load(id: SessionId): Promise<Session | undefined> {
    // A commit that began while it was in memory may be giving it places still: what is read after it has them all.
    await this.#betweenCommits();
    const stored: StoredSession | undefined = await this.#kernel.readSession(id);
    // Ended while it was being read: what was read is no more.
    if (stored === undefined || !this.#loading.has(id)) return undefined;
    this.#keeper.forget(stored);
    const session = this.#session(stored);
    this.#enter(session);
    this.park(session);
    return session;
  }

  /** Resolves when no commit is under way. */
  #betweenCommits(): Promise<void> {
    return new Promise((resolve) => this.#kernel.plan(() => void resolve()));
  }

  #closeForgottenWindowsIn(delayMs: number): void {
    this.#after(delayMs, () => {
      this.#closeForgottenWindows().catch((error: unknown) => {
        if (this.#closed) return;
        this.#options.log.error({ err: error }, "sessions of an earlier run could not be ended; trying again");
        this.#closeForgottenWindowsIn(END_RETRY_MS);
      });
    });
  }

  /** Sessions of an earlier run that nobody has taken up since. */
  async #closeForgottenWindows(): Promise<void> {
    let over: SessionSummary[] = [];
    const endThem = (): void => {
      // Looked at again: a session may have been taken up meanwhile.
      const forgotten = over.filter((summary) => this.#isForgotten(summary));
      over = [];
      if (forgotten.length > 0) this.#endStored(forgotten);
    };
    for (const summary of await this.#kernel.listSessions()) {
      if (this.#closed) return;
      if (!this.#isForgotten(summary)) continue;
      const stored = await this.#kernel.readSession(summary.id);
      if (stored === undefined) continue;
      if (!this.#session(stored).owesEvents) over.push(summary);
      else {
        const follows = stored.follows.map(({ job }) => job);
        await this.#keeper.keep(summary, follows, () => this.#isForgotten(summary));
      }
      if (over.length >= ENDED_PER_COMMIT) endThem();
      await this.#turn();
    }
    endThem();
  }

  #isForgotten(summary: SessionSummary): boolean {
    const { id } = summary;
    const isKnown = this.#sessions.has(id) || this.#loading.has(id) || this.#ending.has(id);
    return !isKnown && !this.#keeper.has(summary) && !this.#closed;
  }

  /** Lets others have their turn: there may be thousands of sessions to look at. */
  #turn(): Promise<void> {
    return new Promise((resolve) => this.#world.timers.soon(resolve));
  }

  #after(delayMs: number, run: () => void): Timer {
    const timer = this.#world.timers.after(delayMs, () => {
      this.#timers.delete(timer);
      run();
    });
    this.#timers.add(timer);
    return timer;
  }

  /** Closes every connection; the sessions stay resumable. */
  close(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#keeper.close();
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
