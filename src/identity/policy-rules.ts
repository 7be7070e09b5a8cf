/**
 * A policy as data: a list of rules, the first of which that fits decides. What no rule fits is refused. Checked whole when
 * it is read: a misspelt bound would bound nothing.
 */
import { parseAmounts } from "../kernel/authority/amounts.ts";
import { formatAmount } from "../kernel/authority/decimal.ts";
import { parseLease } from "../kernel/authority/lease.ts";
import { compilePatterns, type PatternSet } from "../kernel/authority/patterns.ts";
import type { PrincipalPattern, Role } from "../kernel/principal.ts";
import { CodedError } from "../protocol/errors.ts";
import { isPrincipalPattern } from "./visibility.ts";

/** What `createRuntime({ policy })` and the file of `--policy` hold. */
export interface PolicyRules {
  readonly rules: readonly PolicyRule[];
}

/** Whom it is for (all that is given has to fit), and what they may be granted at most (what is left out is not bounded). */
export interface PolicyRule {
  /** Names the rule in refusals and in the audit; no two are the same. 1 to 64 characters. */
  readonly name: string;
  /** `tenant/id`, or `tenant/*` for everyone of a tenant. */
  readonly principals?: readonly PrincipalPattern[];
  /** Who has one of these. */
  readonly roles?: readonly Role[];
  /** As patterns of `agent.delegate`: `report`, `report@2.*`, `team-*`. */
  readonly agents?: readonly string[];
  /** Refuses, for this reason; goes with no bound. */
  readonly refuse?: string;
  /** Namespace → patterns. A namespace that is not in it is not granted at all. */
  readonly lease?: Readonly<Record<string, readonly string[]>>;
  /** The largest budget in each currency, as text: `{ USD: "5.00" }`. Currencies that are not in it are not bounded. */
  readonly budget?: Readonly<Record<string, string>>;
  /** The longest time from now to the end of a lease or of a permission, in seconds. */
  readonly maxLeaseSec?: number;
  /** The longest run of a job, in seconds. */
  readonly maxRuntimeSec?: number;
  /** Jobs that a principal may have under way, running or waiting, delegated ones among them. */
  readonly maxJobs?: number;
  /**
   * What becomes of what is asked for beyond these bounds. Default: `refuse`. What is left open, such as a lease without an
   * end, is set to the bound in any case.
   */
  readonly beyond?: "refuse" | "cut";
}

/** A rule as it is asked. */
export interface ReadyRule extends PolicyRule {
  /** Undefined: every agent. */
  readonly agentPatterns: PatternSet | undefined;
}

/** Rules of a policy. More are refused. */
export const MAX_POLICY_RULES = 1_000;
/** Principals, and agents, that one rule names. More are refused. */
const MAX_NAMED = 1_000;
const MAX_NAME_LENGTH = 64;
const MAX_REASON_LENGTH = 512;
/** Some 31 years, as of `max_runtime_sec`. */
const MAX_SECONDS = 1_000_000_000;

const BOUNDS = ["lease", "budget", "maxLeaseSec", "maxRuntimeSec", "maxJobs", "beyond"] as const;
const FIELDS: readonly string[] = ["name", "principals", "roles", "agents", "refuse", ...BOUNDS];

/** @throws RangeError naming the field that makes no sense, and what it may be, such as `rules[2].lease["fs.read"][0]`. */
export function readRules(given: PolicyRules): readonly ReadyRule[] {
  const { rules, ...others } = asObject("the policy", given);
  const [stray] = Object.keys(others);
  if (stray !== undefined) throw new RangeError(`${named(stray)} is no part of a policy: there is rules`);
  if (!Array.isArray(rules) || rules.length > MAX_POLICY_RULES) {
    throw new RangeError(`rules must be a list of at most ${MAX_POLICY_RULES} rules`);
  }
  const ready = rules.map((rule: unknown, index) => readRule(`rules[${index}]`, rule));
  const names = new Set<string>();
  for (const [index, { name }] of ready.entries()) {
    if (names.has(name)) throw new RangeError(`rules[${index}].name must not be ${JSON.stringify(name)} again`);
    names.add(name);
  }
  return ready;
}

function readRule(place: string, given: unknown): ReadyRule {
  const rule = asObject(place, given);
  const unknown = Object.keys(rule).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) {
    throw new RangeError(`${place}.${named(unknown)} is no part of a rule: there are ${FIELDS.join(", ")}`);
  }
  const { name, principals, roles, agents, refuse, beyond } = rule;
  requireText(`${place}.name`, name, MAX_NAME_LENGTH);
  requireList(`${place}.principals`, principals, isPrincipalPattern, "tenant/id or tenant/*, such as acme/ci");
  requireList(`${place}.roles`, roles, (role) => role === "user" || role === "operator", "user or operator");
  requireList(`${place}.agents`, agents, isAgentPattern, "an agent such as report, report@2.* or team-*");
  if (refuse !== undefined) {
    requireText(`${place}.refuse`, refuse, MAX_REASON_LENGTH);
    const bound = BOUNDS.find((field) => rule[field] !== undefined);
    if (bound !== undefined) throw new RangeError(`${place}.${bound} does not go with refuse, which grants nothing`);
  }
  if (beyond !== undefined && beyond !== "refuse" && beyond !== "cut") {
    throw new RangeError(`${place}.beyond must be "refuse" or "cut"`);
  }
  requireNumber(
    `${place}.maxLeaseSec`,
    rule.maxLeaseSec,
    "seconds, more than 0",
    (sec) => sec > 0 && sec <= MAX_SECONDS,
  );
  requireNumber(
    `${place}.maxRuntimeSec`,
    rule.maxRuntimeSec,
    "seconds, more than 0",
    (sec) => sec > 0 && sec <= MAX_SECONDS,
  );
  requireNumber(`${place}.maxJobs`, rule.maxJobs, "jobs, from 0 on", (jobs) => Number.isSafeInteger(jobs) && jobs >= 0);
  return {
    ...(rule as unknown as PolicyRule),
    ...(rule.lease !== undefined && { lease: readPatterns(`${place}.lease`, rule.lease) }),
    ...(rule.budget !== undefined && { budget: readBudget(`${place}.budget`, rule.budget) }),
    agentPatterns: agents === undefined ? undefined : compilePatterns("agent.delegate", agents as string[]),
  };
}

function readPatterns(place: string, lease: unknown): Readonly<Record<string, readonly string[]>> {
  const given = asObject(place, lease);
  if (Object.hasOwn(given, "cost.budget")) {
    throw new RangeError(`${place}["cost.budget"] belongs into budget, as an amount for each currency`);
  }
  return withinPlace(place, "lease_request", () => parseLease(given, undefined, 0).grants);
}

function readBudget(place: string, budget: unknown): Readonly<Record<string, string>> {
  const given = asObject(place, budget);
  for (const [currency, amount] of Object.entries(given)) {
    // A number has been rounded before anybody could look at it.
    if (typeof amount !== "string") throw new RangeError(`${place}.${named(currency)} must be text, such as "5.00"`);
  }
  return withinPlace(place, place, () => {
    const amounts = parseAmounts(given as Readonly<Record<string, string>>, place);
    return Object.fromEntries([...amounts].map(([currency, amount]) => [currency, formatAmount(amount)]));
  });
}

/** The kernel's own words, about our field. */
function withinPlace<Value>(place: string, field: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    throw new RangeError(error.message.replace(field, place), { cause: error });
  }
}

function isAgentPattern(value: unknown): boolean {
  return typeof value === "string" && /^[^\s]{1,256}$/.test(value) && value.isWellFormed();
}

function requireList(place: string, value: unknown, isRight: (entry: unknown) => boolean, what: string): void {
  if (value === undefined) return;
  // An empty list fits nobody: more likely a mistake than a wish.
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_NAMED) {
    throw new RangeError(`${place} must be a list of 1 to ${MAX_NAMED}, each ${what}`);
  }
  const wrong = value.findIndex((entry) => !isRight(entry));
  if (wrong >= 0) throw new RangeError(`${place}[${wrong}] must be ${what}, not ${shown(value[wrong])}`);
}

function requireText(place: string, value: unknown, longest: number): void {
  if (typeof value === "string" && value.trim() !== "" && value.length <= longest && value.isWellFormed()) return;
  throw new RangeError(`${place} must be text of 1 to ${longest} characters`);
}

function requireNumber(place: string, value: unknown, what: string, isRight: (value: number) => boolean): void {
  if (value === undefined || (typeof value === "number" && isRight(value))) return;
  throw new RangeError(`${place} must be a number of ${what}, not ${shown(value)}`);
}

function asObject(place: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new RangeError(`${place} must be an object`);
}

const named = (key: string): string => (/^\w+$/.test(key) ? key.slice(0, 64) : JSON.stringify(key.slice(0, 64)));
const shown = (value: unknown): string => (JSON.stringify(value) ?? typeof value).slice(0, 64);
