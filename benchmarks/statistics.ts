/** Medians and percentiles of measured values. */

/**
 * The middle value; the mean of the two middle ones when their number is even.
 * @throws RangeError when there are no values.
 */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("median of no values");
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] as number;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] as number;
  return (lower + upper) / 2;
}

/**
 * The smallest value that at least `percent` of all values do not exceed (nearest rank).
 * @param percent above 0, up to 100.
 * @throws RangeError when there are no values, or `percent` is out of range.
 */
export function percentile(values: readonly number[], percent: number): number {
  if (values.length === 0) throw new RangeError("percentile of no values");
  if (!(percent > 0 && percent <= 100)) throw new RangeError(`percentile ${percent} is not above 0 and up to 100`);
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.ceil((percent / 100) * sorted.length) - 1] as number;
}
