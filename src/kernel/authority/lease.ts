/**
 * Leases (§9): what a submission asks for, checked and brought into one form. Patterns are matched by the guard, and
 * spending is counted by the purse. A `Lease` is plain JSON and immutable.
 */
import { CodedError } from "../../protocol/errors.ts";
import { formatAmount, parseAmount } from "./decimal.ts";
import { findPatternProblem } from "./patterns.ts";

export interface Lease {
  /** Namespace → patterns, as they are echoed to the client. `cost.budget` holds the amounts in force. */
  readonly grants: Readonly<Record<string, readonly string[]>>;
  /** When the lease ends, in milliseconds since the epoch; null for never (§9.5). */
  readonly expiresAt: number | null;
  /** The same moment as the client wrote it. */
  readonly expiresAtText: string | null;
  /** Currency → the counter's first value, an exact decimal in canonical form; null when nothing is budgeted (§9.6). */
  readonly budget: Readonly<Record<string, string>> | null;
}

/** Limits on what one lease may hold. More is refused with INVALID_REQUEST. */
export const LEASE_LIMITS = {
  namespaces: 32,
  namespaceLength: 128,
  /** Per namespace. */
  patterns: 256,
  /** In UTF-16 code units. */
  patternLength: 1024,
  /** Of all patterns of one namespace together, in UTF-16 code units: it bounds what one look at them costs. */
  patternsLength: 32_768,
  currencies: 16,
  /** Of one amount, before and after the point together. */
  digits: 30,
} as const;

const RESERVED: ReadonlySet<string> = new Set([
  "fs.read",
  "fs.write",
  "net.fetch",
  "tool.call",
  "agent.delegate",
  "cost.budget",
  "model.use",
]);
const VENDOR_NAMESPACE = /^x-[a-z0-9-]+(\.[A-Za-z0-9_-]+)+$/;
const AMOUNT = /^([A-Za-z][A-Za-z0-9_-]{0,31}):(\d+)(?:\.(\d+))?$/;
const UTC_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?Z$/;
/** Keys in messages are the sender's: longer ones are cut. */
const MAX_KEY_SHOWN = 64;

/**
 * Checks `lease_request` and `lease_constraints` as a client sent them; `null` and `undefined` stand for absent.
 * `max_budget` is a ceiling: in each of its currencies the lesser amount is in force, and the only one where
 * `cost.budget` has none.
 * @param now milliseconds since the epoch; `expires_at` has to lie after it.
 * @throws CodedError INVALID_REQUEST whose `details.field` names the field. Unknown keys are refused: to drop a bound would widen authority.
 */
export function parseLease(request: unknown, constraints: unknown, now: number): Lease {
  const grants = new Map<string, readonly string[]>();
  for (const [namespace, patterns] of entriesOf(request, "lease_request", LEASE_LIMITS.namespaces)) {
    const field = `lease_request${keyed(namespace)}`;
    if (!isNamespace(namespace)) {
      throw invalid(field, `is not a lease namespace: there are ${[...RESERVED].join(", ")}, and x-<vendor>.<name>`);
    }
    const listed = parsePatterns(patterns, field);
    if (namespace !== "cost.budget") {
      for (const [index, pattern] of listed.entries()) {
        const problem = findPatternProblem(namespace, pattern);
        if (problem !== undefined) throw invalid(`${field}[${index}]`, problem);
      }
    }
    grants.set(namespace, listed);
  }

  let expiresAt: { readonly text: string; readonly at: number } | undefined;
  let ceilings: ReadonlyMap<string, string> | undefined;
  for (const [name, value] of entriesOf(constraints, "lease_constraints", LEASE_LIMITS.namespaces)) {
    const field = `lease_constraints${keyed(name)}`;
    if (name !== "expires_at" && name !== "max_budget") {
      throw invalid(field, "is not a lease constraint: there are expires_at and max_budget");
    }
    if (value === null || value === undefined) continue;
    if (name === "expires_at") expiresAt = parseExpiry(value, field, now);
    else ceilings = parseAmounts(parsePatterns(typeof value === "string" ? [value] : value, field), field);
  }

  const asked = grants.get("cost.budget");
  const budget = new Map(asked === undefined ? [] : parseAmounts(asked, `lease_request["cost.budget"]`));
  if (ceilings !== undefined) {
    for (const [currency, ceiling] of ceilings) {
      const amount = budget.get(currency);
      if (amount === undefined || parseAmount(ceiling, currency) < parseAmount(amount, currency))
        budget.set(currency, ceiling);
    }
    grants.set(
      "cost.budget",
      [...budget].map(([currency, amount]) => `${currency}:${amount}`),
    );
  }

  return {
    grants: Object.fromEntries(grants),
    expiresAt: expiresAt?.at ?? null,
    expiresAtText: expiresAt?.text ?? null,
    budget: budget.size === 0 ? null : Object.fromEntries(budget),
  };
}

/** The counters as JSON numbers, the form of `budget` on the wire (§7.1). For display: a number may round. */
export function budgetAsNumbers(budget: Readonly<Record<string, string>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(budget).map(([currency, amount]) => [currency, Number(amount)]));
}

export function isNamespace(name: string): boolean {
  return RESERVED.has(name) || (name.length <= LEASE_LIMITS.namespaceLength && VENDOR_NAMESPACE.test(name));
}

function entriesOf(value: unknown, field: string, limit: number): readonly [string, unknown][] {
  if (value === undefined || value === null) return [];
  if (typeof value !== "object" || Array.isArray(value)) throw invalid(field, "must be an object");
  const entries = Object.entries(value);
  if (entries.length > limit) throw invalid(field, `must have at most ${limit} entries`);
  return entries;
}

function parsePatterns(value: unknown, field: string): readonly string[] {
  const { patterns: most, patternLength: longest, patternsLength: longestOfAll } = LEASE_LIMITS;
  if (!Array.isArray(value) || value.length === 0 || value.length > most) {
    throw invalid(field, `must be a list of 1 to ${most} strings`);
  }
  let length = 0;
  for (const [index, pattern] of value.entries()) {
    if (typeof pattern !== "string" || pattern.length === 0 || pattern.length > longest) {
      throw invalid(`${field}[${index}]`, `must be a string of 1 to ${longest} characters`);
    }
    length += pattern.length;
  }
  if (length > longestOfAll) throw invalid(field, `must have at most ${longestOfAll} characters in all its patterns`);
  return [...value];
}

/** Currency → canonical decimal. @throws CodedError INVALID_REQUEST for anything but exact, unsigned, distinct amounts. */
function parseAmounts(amounts: readonly string[], field: string): ReadonlyMap<string, string> {
  const counters = new Map<string, string>();
  if (amounts.length > LEASE_LIMITS.currencies)
    throw invalid(field, `must name at most ${LEASE_LIMITS.currencies} currencies`);
  for (const [index, amount] of amounts.entries()) {
    const [, currency = "", whole = "", fraction = ""] = AMOUNT.exec(amount) ?? [];
    const place = `${field}[${index}]`;
    if (currency === "")
      throw invalid(place, "must be an amount such as USD:5.00: a currency, a colon and plain digits");
    if (whole.length + fraction.length > LEASE_LIMITS.digits) {
      throw invalid(place, `must have at most ${LEASE_LIMITS.digits} digits`);
    }
    if (counters.has(currency))
      throw invalid(place, `must not name ${currency} again: there is one counter per currency`);
    counters.set(currency, formatAmount(parseAmount(fraction === "" ? whole : `${whole}.${fraction}`, place)));
  }
  return counters;
}

function parseExpiry(value: unknown, field: string, now: number): { readonly text: string; readonly at: number } {
  const shape = "must be an ISO 8601 time in UTC with the suffix Z, such as 2026-05-13T23:42:00Z";
  if (typeof value !== "string" || !UTC_TIME.test(value)) throw invalid(field, shape);
  const at = Date.parse(value);
  // `Date` takes the 31st of February for the 3rd of March; only a real day comes back as it was written.
  if (!Number.isFinite(at) || !new Date(at).toISOString().startsWith(value.slice(0, 10))) throw invalid(field, shape);
  if (at <= now) throw invalid(field, `must be in the future; it is ${new Date(now).toISOString()} here`);
  return { text: value, at };
}

function keyed(key: string): string {
  const shown = key.slice(0, MAX_KEY_SHOWN);
  return /^\w+$/.test(shown) ? `.${shown}` : `[${JSON.stringify(shown)}]`;
}

function invalid(field: string, what: string): CodedError {
  return new CodedError("INVALID_REQUEST", `${field} ${what}`, { details: { field } });
}

/** The lease of a stored job; null for a job without one. */
export function leaseOf(job: { readonly lease: string | null }): Lease | null {
  return job.lease === null ? null : (JSON.parse(job.lease) as Lease);
}
