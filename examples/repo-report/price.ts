/** What reading costs: 0.001 credits a file. Amounts are decimals as text, so that nothing is ever rounded. */

const FILES_PER_CREDIT = 1_000;
const DECIMALS = 3;

/** @param files a whole number. */
export function priceOf(files: number): string {
  return (files / FILES_PER_CREDIT).toFixed(DECIMALS);
}

/** How many files so many credits are enough for. @param credits a decimal that is not negative. */
export function filesFor(credits: string): number {
  const [whole = "0", fraction = ""] = credits.split(".");
  return Number(whole + fraction.slice(0, DECIMALS).padEnd(DECIMALS, "0"));
}
