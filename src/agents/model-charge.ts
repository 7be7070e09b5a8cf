/** What a call of a model costs the job: looked up before the call, charged after it, never silently free. */
import { formatAmount } from "../kernel/authority/decimal.ts";
import { CodedError } from "../protocol/errors.ts";
import type { Charge } from "./budget.ts";
import { completeUsage, type ModelUsage, usageRecord } from "./model-usage.ts";
import type { Price, PriceTable } from "./prices.ts";

export interface ChargeParts {
  /** Absent: no model has a price. */
  readonly prices: PriceTable | undefined;
  readonly charge: Charge;
  /** Currencies that a counter of this job, or of one above it, counts. */
  budgeted(): readonly string[];
}

/** Charges one call of a model. */
export interface CallMeter {
  /**
   * Charges what was used, in one `cost.inference` metric, and tells of it as it goes on the log.
   * @param sent, received bytes of content, of which a charge is assumed where the model does not tell what it used and
   * its price is in a budgeted currency; elsewhere such a call is not charged, and the log says that its usage is unknown.
   */
  charge(usage: ModelUsage, sent: number, received: number): Promise<Readonly<Record<string, unknown>>>;
}

/**
 * @param ids of the model, the one it is called by first.
 * @throws CodedError INVALID_REQUEST for a model without a price where anything is budgeted: what cannot be counted must
 * not be spent.
 */
export function createCallMeter(parts: ChargeParts, ids: readonly string[], callId: string): CallMeter {
  const { prices, charge } = parts;
  const [model = ""] = ids;
  const price = prices?.find(ids);
  const budgeted = parts.budgeted();
  if (price === undefined && budgeted.length > 0) throw unpriced(ids, budgeted);
  return {
    async charge(usage, sent, received) {
      const counted = completeUsage(usage, sent, received);
      const assumed = counted.assumed.length > 0;
      if (assumed && !isBudgeted(price, budgeted)) return { usage: "unknown" };
      const told = { usage: usageRecord(counted) };
      if (price === undefined) return told;
      const { currency } = price;
      const cost = formatAmount(price.costOf(counted));
      const dimensions = { model, call_id: callId, ...(assumed && { assumed }) };
      await charge({ [currency]: cost }, { name: "cost.inference", dimensions });
      return { ...told, cost: { [currency]: cost } };
    },
  };
}

function isBudgeted(price: Price | undefined, currencies: readonly string[]): boolean {
  return price !== undefined && currencies.includes(price.currency);
}

function unpriced(ids: readonly string[], currencies: readonly string[]): CodedError {
  const names = ids.map((id) => JSON.stringify(id)).join(" or ");
  return new CodedError(
    "INVALID_REQUEST",
    `model ${names} has no price, and the job has a budget in ${currencies.join(", ")}: add it to the runtime's option prices`,
    { details: { field: "prices", models: ids, currencies } },
  );
}
