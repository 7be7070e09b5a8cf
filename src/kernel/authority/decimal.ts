/**
 * Amounts of money as exact decimals (§9.6). Pure. An amount is a `bigint` in units of 10^-30: sums and comparisons never
 * round. It comes in as the text of a decimal, and goes out as one.
 */
import { CodedError } from "../../protocol/errors.ts";

/** A sum of money in one currency, in units of 10^-30. */
export type Amount = bigint;

/** Most digits of one amount before the point, and after it. More is refused with INVALID_REQUEST. */
const MAX_WHOLE_DIGITS = 30;
const MAX_FRACTION_DIGITS = 30;

/** Longest text that is looked at, in UTF-16 units: room for digits that count for nothing, such as leading zeros. */
const MAX_TEXT_LENGTH = 128;
const DECIMAL = /^(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/;

/**
 * Reads an amount digit by digit. A number counts for the decimal that JavaScript writes it as: `0.1` is a tenth.
 * @param value a decimal without a sign, such as `0.0234` or `5e-7`.
 * @param field names the value in the error, and is its `details.field`.
 * @throws CodedError INVALID_REQUEST for anything else, for negative and non-finite numbers, and beyond the digits above.
 */
export function parseAmount(value: string | number, field: string): Amount {
  const text = typeof value === "number" ? String(value) : value;
  const [, whole, fraction = "", exponent = "0"] =
    (typeof text === "string" && text.length <= MAX_TEXT_LENGTH && DECIMAL.exec(text)) || [];
  if (whole === undefined) {
    throw refused(field, 'must be an amount that is not negative, such as 0.0234 or "0.0234"');
  }
  const digits = trimmed(whole + fraction);
  if (digits === "") return 0n;
  // The last digit stands this many places after the point.
  const places = fraction.length - Number(exponent) - (whole.length + fraction.length - digits.length);
  const significant = digits.replace(/^0+/, "");
  if (significant.length - places > MAX_WHOLE_DIGITS) {
    throw refused(field, `must have at most ${MAX_WHOLE_DIGITS} digits before the point`);
  }
  if (places > MAX_FRACTION_DIGITS) {
    throw refused(field, `must have at most ${MAX_FRACTION_DIGITS} digits after the point`);
  }
  return BigInt(significant) * 10n ** BigInt(MAX_FRACTION_DIGITS - places);
}

/** The amount as a plain decimal with all its digits and no needless one: `5`, `0.5`, `-0.25`. Valid as a JSON number. */
export function formatAmount(amount: Amount): string {
  const sign = amount < 0n ? "-" : "";
  const digits = (amount < 0n ? -amount : amount).toString().padStart(MAX_FRACTION_DIGITS + 1, "0");
  const whole = digits.slice(0, -MAX_FRACTION_DIGITS);
  const fraction = trimmed(digits.slice(-MAX_FRACTION_DIGITS));
  return fraction === "" ? sign + whole : `${sign}${whole}.${fraction}`;
}

/** Reads back what `formatAmount` wrote of a sum that is not negative, which may have more digits than one amount. */
export function parseSum(text: string): Amount {
  const [whole = "", fraction = ""] = text.split(".");
  return BigInt(whole + fraction.padEnd(MAX_FRACTION_DIGITS, "0"));
}

/** Without the zeros at its end. */
function trimmed(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits.charCodeAt(end - 1) === 48) end--;
  return end === digits.length ? digits : digits.slice(0, end);
}

function refused(field: string, what: string): CodedError {
  return new CodedError("INVALID_REQUEST", `${field} ${what}`, { details: { field } });
}
