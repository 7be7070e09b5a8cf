/** `ctx.budget` and `ctx.charge` (§9.6): what is left to spend, setting it aside, and reporting what was spent. */
import type { JobHost } from "../kernel/agents-port.ts";
import { type Amounts, parseAmounts } from "../kernel/authority/amounts.ts";
import type { BudgetView, CounterView } from "../kernel/authority/budget-view.ts";
import { formatAmount } from "../kernel/authority/decimal.ts";
import { assertCostName, type Metric } from "../kernel/job/metric.ts";
import type { Outside, Report } from "./emission.ts";

const DEFAULT_COST_NAME = "cost.charge";

export interface ReserveOptions {
  /**
   * Names the reservation within the job: a later attempt that asks under it finds this one. From 1 to 256 characters.
   * Default: which one it is among this attempt's reservations of the same amounts.
   */
  readonly key?: string;
}

export interface ChargeOptions {
  /** Of the metrics; begins with `cost.` and not with `cost.budget.`. Default: `cost.charge`. */
  readonly name?: string;
  readonly dimensions?: Metric["dimensions"];
}

/** Money set aside. `await using` gives back what was not committed. */
export interface BudgetReservation extends AsyncDisposable {
  /** Unique within the job. */
  readonly id: string;
  /** True where an earlier attempt committed it: what it was for is done, and paid; to commit it again does nothing. */
  readonly committed: boolean;
  /**
   * Charges what was spent and gives the reservation back, in one commit. It may be less than was reserved, or more.
   * @param actual default: all of what was reserved.
   * @param options.name of the metrics, as for `ctx.charge`. Default: `cost.reservation`.
   * @throws CodedError INVALID_REQUEST for wrong amounts, or when this attempt committed or released it before; the job's
   * stop reason after a stop.
   */
  commit(actual?: Amounts, options?: { readonly name?: string }): Promise<void>;
  /** Gives all of it back. Does nothing once it is committed, released, or the job is stopped. */
  release(): Promise<void>;
}

/**
 * The counters that this job's costs move: of its own budget, and in currencies that its own lease leaves out, of the
 * nearest job above that has one. All amounts are decimals as text, exact.
 */
export interface Budget {
  /** Granted less spent, by this job and those below it; may be negative. Undefined for what is not budgeted: unlimited. */
  remaining(currency: string): string | undefined;
  /** Remaining less what is set aside: what can still be reserved, or given to children. Undefined as above. */
  available(currency: string): string | undefined;
  /** All counters, by currency. */
  counters(): BudgetView;
  /**
   * Sets money aside before it is spent, in all of these currencies or in none; what is not budgeted is not held. Durable
   * when it resolves. Money set aside is still `remaining`, and nobody else's to reserve. Reservations that are open when
   * the job ends are given back; those of an earlier attempt that this one did not ask for again count as spent.
   * @throws CodedError BUDGET_EXHAUSTED at once when not all of it is available, with details
   * `{ currency, available, requested }`; DUPLICATE_KEY for a key that stands for other amounts; INVALID_REQUEST for wrong
   * amounts, a key in use, beyond 256 open reservations or 100,000 in all; the job's stop reason after a stop.
   */
  reserve(amounts: Amounts, options?: ReserveOptions): Promise<BudgetReservation>;
}

/** See `AgentContext.charge`. */
export type Charge = (amounts: Amounts, options?: ChargeOptions) => Promise<void>;

export function createBudget(host: JobHost, outside: Outside): Budget {
  const find = (currency: string): CounterView | undefined => {
    const counters = host.budget.view();
    return Object.hasOwn(counters, currency) ? counters[currency] : undefined;
  };
  return {
    remaining: (currency) => find(currency)?.remaining,
    available: (currency) => find(currency)?.available,
    counters: () => host.budget.view(),
    async reserve(amounts, { key } = {}) {
      const handle = await outside(() => host.reserve(amounts, key));
      const release = async (): Promise<void> => outside(() => handle.release());
      return {
        id: handle.id,
        committed: handle.committed,
        commit: async (actual, { name } = {}) => outside(() => handle.commit(actual, name)),
        release,
        [Symbol.asyncDispose]: release,
      };
    },
  };
}

export function createCharge(report: Report): Charge {
  return async (amounts, { name = DEFAULT_COST_NAME, dimensions } = {}) => {
    assertCostName(name, "charge.name");
    // All of it is read before any of it is charged.
    const parsed = [...parseAmounts(amounts, "charge.amounts")];
    // In this very turn: no operation starts between two of them.
    await Promise.all(parsed.map(([unit, amount]) => report({ name, value: formatAmount(amount), unit, dimensions })));
  };
}
