/**
 * The guard: asked synchronously before every authority-bearing operation, in the turn that starts it (§9.3).
 * Order: expiry, then budget, then pattern.
 */

import type { Clock } from "../../platform/world.ts";
import { CodedError } from "../../protocol/errors.ts";

export interface Operation {
  /** A lease namespace, such as `tool.call`. */
  readonly namespace: string;
  /** What the operation touches, in the form patterns are matched against. */
  readonly target: string;
}

export interface Guard {
  /**
   * Returns when the operation may start now.
   * @throws CodedError LEASE_EXPIRED, BUDGET_EXHAUSTED or PERMISSION_DENIED.
   */
  check(operation: Operation): void;
}

/** Enforces the lease's expiry. Budgets and patterns are recorded and echoed, and not yet enforced. */
export function createGuard(expiresAt: number | null, clock: Clock): Guard {
  return {
    check({ namespace, target }) {
      if (expiresAt !== null && clock.now() >= expiresAt) {
        const expired = new Date(expiresAt).toISOString();
        throw new CodedError("LEASE_EXPIRED", `${namespace} on ${target}: the lease expired at ${expired}`, {
          details: { capability: namespace, expired_at: expired },
        });
      }
    },
  };
}
