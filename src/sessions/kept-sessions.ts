/**
 * Sessions that have outlived their window, each for the events its client has not acknowledged (§6.5), and what they
 * keep of job logs, in bytes. Oldest first: the one whose window closed first goes first. Pure accounts: whoever calls
 * ends the sessions named.
 */
import type { SessionId } from "../kernel/ids.ts";
import type { PrincipalKey } from "../kernel/principal.ts";
import type { SessionLimits } from "./limits.ts";

/** Why a session that was kept is not kept any more. */
export interface Eviction {
  readonly id: SessionId;
  readonly limit: "maxParkedBytes" | "maxParkedBytesPerPrincipal";
  readonly bytes: number;
}

interface Kept {
  /** In the order in which their windows closed. */
  readonly sessions: Map<SessionId, number>;
  bytes: number;
}

export class KeptSessions {
  readonly #limits: Pick<SessionLimits, "maxParkedBytes" | "maxParkedBytesPerPrincipal">;
  readonly #kept = new Map<PrincipalKey, Kept>();

  constructor(limits: Pick<SessionLimits, "maxParkedBytes" | "maxParkedBytesPerPrincipal">) {
    this.#limits = limits;
  }

  /** Every session that is kept, with its principal. */
  *[Symbol.iterator](): Generator<{ readonly id: SessionId; readonly principal: PrincipalKey }> {
    for (const [principal, { sessions }] of this.#kept) for (const id of sessions.keys()) yield { id, principal };
  }

  has(principal: PrincipalKey, id: SessionId): boolean {
    return this.#kept.get(principal)?.sessions.has(id) === true;
  }

  /** Keeps a session, or counts anew what one keeps. @returns those that have to go for it, which may be this one. */
  keep(principal: PrincipalKey, id: SessionId, bytes: number): readonly Eviction[] {
    const kept: Kept = this.#kept.get(principal) ?? { sessions: new Map(), bytes: 0 };
    this.#kept.set(principal, kept);
    kept.bytes += bytes - (kept.sessions.get(id) ?? 0);
    kept.sessions.set(id, bytes);
    const evictions: Eviction[] = [];
    if (bytes > this.#limits.maxParkedBytes) {
      this.forget(principal, id);
      evictions.push({ id, limit: "maxParkedBytes", bytes });
    }
    while (kept.bytes > this.#limits.maxParkedBytesPerPrincipal) {
      const [oldest, held] = kept.sessions.entries().next().value as [SessionId, number];
      this.forget(principal, oldest);
      evictions.push({ id: oldest, limit: "maxParkedBytesPerPrincipal", bytes: held });
    }
    return evictions;
  }

  /** It was taken up again, or is over. */
  forget(principal: PrincipalKey, id: SessionId): void {
    const kept = this.#kept.get(principal);
    if (kept === undefined) return;
    kept.bytes -= kept.sessions.get(id) ?? 0;
    kept.sessions.delete(id);
    if (kept.sessions.size === 0) this.#kept.delete(principal);
  }

  /** The session of a principal that goes first; undefined when none is kept. */
  oldest(principal: PrincipalKey): SessionId | undefined {
    return this.#kept.get(principal)?.sessions.keys().next().value;
  }
}
