/** Exact decimals of a run's own, so that the runtime's are held against others: whole numbers of 10⁻³⁰. */

const PLACES = 30;
const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** @throws Error when `text` is no decimal, or has digits beyond the 30th after the point. */
export function readDecimal(text: string): bigint {
  const [, sign, whole = "", fraction = "", exponent = "0"] = DECIMAL.exec(text) ?? [];
  if (sign === undefined) throw new Error(`${text} is no decimal`);
  const shift = PLACES - fraction.length + Number(exponent);
  const digits = BigInt(whole + fraction);
  const unit = 10n ** BigInt(Math.abs(shift));
  if (shift < 0 && digits % unit !== 0n) throw new Error(`${text} has digits beyond the ${PLACES}th after the point`);
  const size = shift < 0 ? digits / unit : digits * unit;
  return sign === "-" ? -size : size;
}

export function showDecimal(amount: bigint): string {
  const size = (amount < 0n ? -amount : amount).toString().padStart(PLACES + 1, "0");
  const fraction = size.slice(-PLACES).replace(/0+$/, "");
  return `${amount < 0n ? "-" : ""}${size.slice(0, -PLACES)}${fraction === "" ? "" : `.${fraction}`}`;
}

/** By currency. */
export type Amounts = ReadonlyMap<string, bigint>;

export function addTo(amounts: Map<string, bigint>, currency: string, amount: bigint): void {
  amounts.set(currency, (amounts.get(currency) ?? 0n) + amount);
}
