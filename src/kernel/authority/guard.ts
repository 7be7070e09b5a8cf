/**
 * The guard: asked before every authority-bearing operation, in the turn that starts it (§9.3).
 * Order: expiry, then budget, then pattern.
 */

import type { Clock } from "../../platform/world.ts";
import { CodedError } from "../../protocol/errors.ts";
import { type Amount, formatAmount } from "./decimal.ts";
import type { Lease } from "./lease.ts";
import { compilePatterns, type PatternSet } from "./patterns.ts";
import { canonicalTarget, MAX_TARGET_LENGTH, targetKind } from "./targets.ts";

export interface Operation {
  /** A lease namespace, such as `tool.call`. */
  readonly namespace: string;
  /** What the operation touches; it is matched in canonical form. */
  readonly target: string;
  /** What is done with it, for grants, which are for one thing exactly. Default: what is usual in its namespace. */
  readonly operation?: string;
  /** Digest of the exact arguments; asked for where a grant is bound to some. */
  digest?(): string;
}

export interface Guard {
  /**
   * Returns when the operation may start now. In this process at once and undefined, so that the operation can start in
   * the same turn; a guard on the other side of a pipe answers with a promise.
   * @throws CodedError LEASE_EXPIRED with details `{ capability, target, expired_at }`; BUDGET_EXHAUSTED with
   * `{ capability, target, currency, remaining, job_id }`, whose counter it is; PERMISSION_DENIED with
   * `{ capability, target, patterns }`, what the lease has for it; INVALID_REQUEST for what is no target.
   */
  check(operation: Operation): undefined | Promise<void>;
}

export interface GuardOptions {
  /** Null for a job without a lease, which may do nothing that needs one. */
  readonly lease: Lease | null;
  /** In milliseconds since the epoch; null for never. */
  readonly expiresAt: number | null;
  readonly clock: Clock;
  /** The job's counters; absent for one without a budget. */
  readonly purse?:
    | {
        findExhausted(): { readonly currency: string; readonly remaining: Amount; readonly job: string } | undefined;
      }
    | undefined;
  /** What was granted beside the lease; asked about what the lease does not cover. Default: nothing. */
  readonly grants?: { covers(operation: Operation, canonicalTarget: string): boolean } | undefined;
  /** Whether a lease has to name `model.use` for a model to be used (§9.7). Default: true. */
  readonly requireModelUse?: boolean | undefined;
}

/** Patterns named in a refusal at most, and characters of its target. */
export const MAX_PATTERNS_NAMED = 20;
const MAX_TARGET_SHOWN = 256;

/** Patterns are compiled when their namespace is first asked about, and kept for the job. */
export function createGuard(options: GuardOptions): Guard {
  const { lease, expiresAt, clock, purse, grants, requireModelUse = true } = options;
  const compiled = new Map<string, PatternSet>();

  const patternsOf = (namespace: string): PatternSet | undefined => {
    let set = compiled.get(namespace);
    if (set === undefined) {
      const patterns = grantedBy(lease, namespace);
      if (patterns === undefined) return undefined;
      set = compilePatterns(namespace, patterns);
      compiled.set(namespace, set);
    }
    return set;
  };

  const isCovered = (namespace: string, target: string): boolean => {
    const patterns = patternsOf(namespace);
    if (patterns === undefined) return namespace === "model.use" && !requireModelUse && target !== "";
    const canonical = canonicalTarget(namespace, target);
    if (canonical.length <= MAX_TARGET_LENGTH) return patterns.matches(canonical);
    throw refusal("PERMISSION_DENIED", namespace, target, `a target has at most ${MAX_TARGET_LENGTH} characters`, {
      limit: MAX_TARGET_LENGTH,
    });
  };

  return {
    check(operation) {
      const { namespace, target } = operation;
      if (expiresAt !== null && clock.now() >= expiresAt) {
        const expired = new Date(expiresAt).toISOString();
        throw refusal("LEASE_EXPIRED", namespace, target, `the lease expired at ${expired}`, { expired_at: expired });
      }
      const exhausted = purse?.findExhausted();
      if (exhausted !== undefined) {
        const { currency, job } = exhausted;
        const remaining = formatAmount(exhausted.remaining);
        throw refusal("BUDGET_EXHAUSTED", namespace, target, `the budget is used up: ${remaining} ${currency} remain`, {
          currency,
          remaining,
          job_id: job,
        });
      }
      if (isCovered(namespace, target)) return undefined;
      if (grants?.covers(operation, canonicalTarget(namespace, target)) === true) return undefined;
      const patterns = grantedBy(lease, namespace)?.slice(0, MAX_PATTERNS_NAMED) ?? [];
      throw refusal("PERMISSION_DENIED", namespace, target, reasonFor(lease, namespace, patterns), { patterns });
    },
  };
}

/** Amounts of `cost.budget` are counted, and allow nothing. */
function grantedBy(lease: Lease | null, namespace: string): readonly string[] | undefined {
  if (lease === null || namespace === "cost.budget" || !Object.hasOwn(lease.grants, namespace)) return undefined;
  return lease.grants[namespace];
}

function reasonFor(lease: Lease | null, namespace: string, patterns: readonly string[]): string {
  if (lease === null) return "the job has no lease";
  if (patterns.length === 0) return `the lease grants no ${namespace}`;
  return `the lease grants ${namespace} for ${shorten(patterns.join(", "))} only`;
}

function refusal(
  code: "LEASE_EXPIRED" | "BUDGET_EXHAUSTED" | "PERMISSION_DENIED",
  capability: string,
  target: string,
  reason: string,
  details: Readonly<Record<string, unknown>>,
): CodedError {
  const shown = shorten(shownTarget(capability, target));
  return new CodedError(code, `${capability} on ${shown}: ${reason}`, {
    details: { capability, target: shown, ...details },
  });
}

/** In canonical form, which has no query and no password: a refusal goes on the log. */
function shownTarget(namespace: string, target: string): string {
  try {
    return canonicalTarget(namespace, target);
  } catch {
    return targetKind(namespace) === "url" ? "what is no URL" : target;
  }
}

function shorten(text: string): string {
  return text.length <= MAX_TARGET_SHOWN ? text : `${text.slice(0, MAX_TARGET_SHOWN).toWellFormed()}…`;
}
