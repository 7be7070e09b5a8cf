/** Amounts in several currencies, as agents give them: `{ USD: "0.30", credits: 2 }`. */
import { CodedError } from "../../protocol/errors.ts";
import { type Amount, formatAmount, parseAmount } from "./decimal.ts";

/** Currency → amount: decimals as text are exact, numbers count for what JavaScript writes them as. None is negative. */
export type Amounts = Readonly<Record<string, string | number>>;

/** Most currencies of one list of amounts, as of one lease. */
const MAX_CURRENCIES = 16;
const CURRENCY = /^[A-Za-z][A-Za-z0-9_-]{0,31}$/;

/**
 * @param field names the amounts in errors.
 * @throws CodedError INVALID_REQUEST whose `details.field` names the amount that is wrong.
 */
export function parseAmounts(amounts: Amounts, field: string): ReadonlyMap<string, Amount> {
  if (typeof amounts !== "object" || amounts === null || Array.isArray(amounts)) {
    throw invalid(field, 'must be an object of currencies and amounts, such as { USD: "0.30" }');
  }
  const entries = Object.entries(amounts);
  if (entries.length === 0 || entries.length > MAX_CURRENCIES) {
    throw invalid(field, `must have from 1 to ${MAX_CURRENCIES} currencies`);
  }
  return new Map(
    entries.map(([currency, amount]) => {
      const place = `${field}.${currency.slice(0, 32)}`;
      if (!CURRENCY.test(currency)) throw invalid(place, "is not a currency such as USD or credits");
      return [currency, parseAmount(amount, place)];
    }),
  );
}

/** As JSON text: currency → decimal. */
export function amountsText(amounts: ReadonlyMap<string, Amount>): string {
  return JSON.stringify(Object.fromEntries([...amounts].map(([name, amount]) => [name, formatAmount(amount)])));
}

/** What `amountsText` wrote. */
export function readAmounts(text: string): ReadonlyMap<string, Amount> {
  const stored = JSON.parse(text) as Readonly<Record<string, string>>;
  return new Map(Object.entries(stored).map(([currency, amount]) => [currency, parseAmount(amount, currency)]));
}

function invalid(field: string, what: string): CodedError {
  return new CodedError("INVALID_REQUEST", `${field} ${what}`, { details: { field } });
}
