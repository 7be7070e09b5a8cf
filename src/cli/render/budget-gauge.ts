/** What remains of a job's budget (§9.6), as one line per currency. */
import type { Job } from "../../client/job.ts";
import type { Colors } from "./colors.ts";
import { cut } from "./display-width.ts";
import { safeLine } from "./sanitize.ts";

const LONGEST_BAR = 20;
const SHORTEST_BAR = 5;
/** From this part on it is shown as short. */
const LITTLE = 0.1;

/** Currency → what was granted, as the lease words it. */
function grantedOf(lease: Job["lease"]): ReadonlyMap<string, string> {
  const amounts = (lease["cost.budget"] ?? []).map((amount) => amount.split(":", 2));
  return new Map(amounts.map(([currency = "", decimal = ""]) => [currency, decimal]));
}

/** Such as `1.42 of 5 USD left`. Amounts are the runtime's numbers, and may be rounded. */
function budgetText(currency: string, remaining: number, granted: string | undefined): string {
  const of = granted === undefined ? "" : ` of ${withoutTrailingZeros(granted)}`;
  return safeLine(`${remaining}${of} ${currency} left`);
}

/** `5.00` → `5`, as the amount beside it is written. */
function withoutTrailingZeros(decimal: string): string {
  return decimal.includes(".") ? decimal.replace(/\.?0+$/, "") : decimal;
}

/** A line for each currency that is budgeted, each at most `width` columns. */
export function budgetGauges({ lease, budget }: Pick<Job, "lease" | "budget">, width: number, colors: Colors) {
  const granted = grantedOf(lease);
  return Object.entries(budget).map(([currency, remaining]) => {
    const whole = granted.get(currency);
    const text = budgetText(currency, remaining, whole);
    const length = Math.min(LONGEST_BAR, Math.max(SHORTEST_BAR, Math.floor(width / 4)));
    const part = Number(whole) > 0 ? Math.min(1, Math.max(0, remaining / Number(whole))) : Number.NaN;
    if (Number.isNaN(part) || width <= length + 1) return cut(text, width);
    const full = Math.ceil(part * length);
    const paint = part <= LITTLE ? colors.red : colors.yellow;
    return `${paint("█".repeat(full))}${colors.dim("░".repeat(length - full))} ${cut(text, width - length - 1)}`;
  });
}
