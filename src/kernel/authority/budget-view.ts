/** How a job's budget counters are shown: decimals as text, exact. */
import type { BudgetRow } from "../ports.ts";
import { type Amount, formatAmount, parseAmount, parseSum } from "./decimal.ts";

/** One counter. Each is a plain decimal; `remaining` and `available` may be negative. */
export interface CounterView {
  readonly granted: string;
  /** Reported in this job and in every job below it. */
  readonly spent: string;
  /** Promised and not yet spent: open reservations, and what live children have left of their budgets. */
  readonly held: string;
  /** granted − spent. */
  readonly remaining: string;
  /** remaining − held. */
  readonly available: string;
}

/** Currency → counter. */
export type BudgetView = Readonly<Record<string, CounterView>>;

/** What a counter has moved by since the job was accepted. */
export interface CounterState {
  readonly spent: Amount;
  readonly held: Amount;
}

const UNMOVED: CounterState = { spent: 0n, held: 0n };

export function viewCounter(granted: Amount, { spent, held }: CounterState): CounterView {
  return {
    granted: formatAmount(granted),
    spent: formatAmount(spent),
    held: formatAmount(held),
    remaining: formatAmount(granted - spent),
    available: formatAmount(granted - spent - held),
  };
}

/**
 * A job's own counters as they are stored.
 * @param granted the lease's budget.
 * @param row absent while no counter has moved.
 */
export function viewBudget(granted: Readonly<Record<string, string>>, row: BudgetRow | undefined): BudgetView {
  const states = parseCounters(row);
  const counters = Object.entries(granted).map(([currency, amount]) => [
    currency,
    viewCounter(parseAmount(amount, currency), states.get(currency) ?? UNMOVED),
  ]);
  return Object.fromEntries(counters);
}

/** Currency → state, from a row's JSON. */
export function parseCounters(row: BudgetRow | undefined): ReadonlyMap<string, CounterState> {
  if (row === undefined) return new Map();
  const stored = JSON.parse(row.counters) as Readonly<Record<string, { spent: string; held: string }>>;
  return new Map(
    Object.entries(stored).map(([currency, { spent, held }]) => [
      currency,
      { spent: parseSum(spent), held: parseSum(held) },
    ]),
  );
}
