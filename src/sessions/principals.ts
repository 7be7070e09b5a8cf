/** What each principal has open at the moment: its sessions, its connections, and how fast its messages come. */

import type { SessionId } from "../kernel/ids.ts";
import type { SessionSummary } from "../kernel/ports.ts";
import type { PrincipalKey } from "../kernel/principal.ts";
import type { TokenBucket } from "../platform/token-bucket.ts";
import type { Clock } from "../platform/world.ts";
import { beyondLimit, messageBucket, type SessionLimits } from "./limits.ts";

/** How long somebody who was refused for a count had better wait: nothing says when a session will end. */
const RETRY_AFTER_MS = 10_000;

interface Holdings {
  /** Every session there is, or is about to be. */
  readonly sessions: Set<SessionId>;
  /** Connections that were welcomed, or are about to be. */
  connections: number;
  readonly rate: TokenBucket;
}

export class Principals {
  readonly #limits: SessionLimits;
  readonly #clock: Clock;
  readonly #holdings = new Map<PrincipalKey, Holdings>();

  constructor(limits: SessionLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Counts the sessions an earlier run has left. */
  addStored(sessions: readonly SessionSummary[]): void {
    for (const { id, principal } of sessions) this.#of(principal).sessions.add(id);
  }

  /**
   * Counts a session that is about to be.
   * @param makeRoom asked for one session to end when there are too many; returns whether one did.
   * @throws CodedError when the principal has as many as it may.
   */
  addSession(principal: PrincipalKey, id: SessionId, makeRoom: () => boolean): void {
    const { sessions } = this.#of(principal);
    const { maxSessionsPerPrincipal: most } = this.#limits;
    if (sessions.size >= most && !makeRoom()) {
      const message = `there are ${most} sessions of yours already; resume one, or try again once one has ended`;
      throw beyondLimit("maxSessionsPerPrincipal", message, RETRY_AFTER_MS);
    }
    sessions.add(id);
  }

  removeSession(principal: PrincipalKey, id: SessionId): void {
    this.#of(principal).sessions.delete(id);
    this.#forgetIdle(principal);
  }

  /**
   * Counts a connection.
   * @param supersedes it takes the place of one that counts.
   * @throws CodedError when the principal has as many as it may.
   */
  addConnection(principal: PrincipalKey, supersedes: boolean): void {
    const holdings = this.#of(principal);
    const { maxConnectionsPerPrincipal: most } = this.#limits;
    if (holdings.connections >= most && !supersedes) {
      this.#forgetIdle(principal);
      const message = `there are ${most} connections of yours already; close one, or try again later`;
      throw beyondLimit("maxConnectionsPerPrincipal", message, RETRY_AFTER_MS);
    }
    holdings.connections++;
  }

  removeConnection(principal: PrincipalKey): void {
    this.#of(principal).connections--;
    this.#forgetIdle(principal);
  }

  /** Takes a message of the principal's rate. @returns 0, or the milliseconds until one is allowed again. */
  takeMessage(principal: PrincipalKey): number {
    return this.#of(principal).rate.take(this.#clock.now());
  }

  #of(principal: PrincipalKey): Holdings {
    const known = this.#holdings.get(principal);
    if (known !== undefined) return known;
    const rate = messageBucket(this.#limits.maxMessagesPerSecondPerPrincipal, this.#clock.now());
    const holdings: Holdings = { sessions: new Set(), connections: 0, rate };
    this.#holdings.set(principal, holdings);
    return holdings;
  }

  #forgetIdle(principal: PrincipalKey): void {
    const holdings = this.#holdings.get(principal);
    if (holdings?.connections === 0 && holdings.sessions.size === 0) this.#holdings.delete(principal);
  }
}
