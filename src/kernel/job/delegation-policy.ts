/** A delegation before the policy: asked as its tree's submitter, about what the child would have. */
import { formatAmount, parseAmount } from "../authority/decimal.ts";
import type { Lease } from "../authority/lease.ts";
import { withBudget } from "../authority/policy-decision.ts";
import type { PolicyQuestion, Ruling } from "../authority/policy-gate.ts";
import type { Purse } from "../authority/purse.ts";
import { principalOf } from "../principal.ts";
import type { JobRecord } from "./job-record.ts";

/** @param lease what the child would have, with what it inherits. */
export function delegationQuestion(
  parent: { readonly record: JobRecord; readonly purse?: Purse | undefined },
  child: { readonly agent: string; readonly lease: Lease | null; readonly maxRuntimeSec: number | undefined },
): PolicyQuestion {
  const { id, principal, roles } = parent.record;
  const inherited = Object.entries(parent.purse?.view() ?? {})
    .filter(([currency]) => !Object.hasOwn(child.lease?.budget ?? {}, currency))
    .map(([currency, { remaining }]) => [currency, remaining]);
  return {
    kind: "delegate",
    principal: principalOf(principal, roles),
    ...child,
    inheritedBudget: Object.fromEntries(inherited),
    job: id,
    owner: principal,
  };
}

/**
 * The lease that was granted, with no more money in the currencies that the policy has bounded than the job above can
 * promise: a child that asked for no counter of its own is not refused for one.
 */
export function withinPurse({ lease, bounded }: Ruling, purse: Purse | undefined): Lease | null {
  if (purse === undefined || bounded.length === 0 || lease?.budget == null) return lease;
  const amounts = Object.entries(lease.budget).map(([currency, amount]) => {
    const promisable = bounded.includes(currency) ? purse.find(currency)?.promisable : undefined;
    const isShort = promisable !== undefined && promisable > 0n && promisable < parseAmount(amount, currency);
    return [currency, isShort ? formatAmount(promisable) : amount];
  });
  return withBudget(lease, Object.fromEntries(amounts));
}
