/** The lease a submission asks for (§9), as people type it. The runtime checks patterns and amounts. */
import { usageError } from "../cli-error.ts";

export type Lease = Readonly<Record<string, readonly string[]>>;

/** As `--lease-json` takes one. */
export const LEASE_EXAMPLE = '{"fs.read":["/workspace/**"]}';

const isPatterns = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((pattern) => typeof pattern === "string");

/** @throws CliError USAGE when `value` is not a map of namespace to patterns. */
function leaseOf(value: unknown): Lease {
  const isMap = typeof value === "object" && value !== null && !Array.isArray(value);
  if (isMap && Object.values(value).every(isPatterns)) return value as Lease;
  throw usageError("--lease-json is not a lease", `write a map such as '${LEASE_EXAMPLE}'`);
}

/**
 * The lease of all `--lease` options together with `--lease-json`; undefined when there is neither.
 * @param pairs such as `fs.read=/workspace/**`; a namespace named again gets one more pattern.
 * @param json the parsed value of `--lease-json`.
 */
export function readLease(pairs: readonly string[], json: unknown): Lease | undefined {
  if (pairs.length === 0 && json === undefined) return undefined;
  const lease = new Map<string, readonly string[]>(json === undefined ? [] : Object.entries(leaseOf(json)));
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    const [namespace, pattern] = [pair.slice(0, equals), pair.slice(equals + 1)];
    if (equals < 1 || pattern === "") {
      throw usageError(
        `--lease must be namespace=pattern, not "${pair}"`,
        "write, say, --lease 'fs.read=/workspace/**'",
      );
    }
    lease.set(namespace, [...(lease.get(namespace) ?? []), pattern]);
  }
  return Object.fromEntries(lease);
}

/** Currency → amount of all `--budget` options, such as `USD:5.00`; undefined when there are none. */
export function readBudget(amounts: readonly string[]): Readonly<Record<string, string>> | undefined {
  if (amounts.length === 0) return undefined;
  const budget = new Map<string, string>();
  for (const amount of amounts) {
    const [, currency, decimal] = /^([A-Za-z][\w-]*):(\d+(?:\.\d+)?)$/.exec(amount) ?? [];
    if (currency === undefined || decimal === undefined) {
      throw usageError(`--budget must be currency:amount, not "${amount}"`, "write, say, --budget USD:5.00");
    }
    if (budget.has(currency)) throw usageError(`--budget names ${currency} twice`, "give each currency one amount");
    budget.set(currency, decimal);
  }
  return Object.fromEntries(budget);
}
