/**
 * What a policy answered: read once, brought into the form of a lease, and held against what was asked for. Authority can
 * only become less by it, whatever the policy is and whatever it says.
 */
import { parseAmounts } from "./amounts.ts";
import { createCover } from "./covers.ts";
import { formatAmount, parseAmount } from "./decimal.ts";
import type { Effort } from "./glob.ts";
import { type Lease, parseLease } from "./lease.ts";
import type { PolicyDecision, PolicyRequest } from "./policy.ts";

/** Longest reason that is passed on, and longest name of a rule, in UTF-16 units. Longer ones are cut. */
const MAX_REASON_LENGTH = 512;
const MAX_RULE_LENGTH = 128;
/** As of a submission. */
const MAX_RUNTIME_SEC = 1_000_000_000;

export interface Reading {
  readonly decision: PolicyDecision;
  /** What the policy did wrong: for whoever looks after it, as a phrase. Then the decision is a refusal. */
  readonly fault?: string;
}

/**
 * @param answer anything: what `Policy.decide` returned or resolved to.
 * @throws Error saying what makes it no decision.
 */
export function readDecision(answer: unknown, request: PolicyRequest): Reading {
  const { allowed, lease, reason, rule, maxRuntimeSec, maxJobs } = asObject("the decision", answer);
  const named = rule === undefined ? {} : { rule: asText("rule", rule, MAX_RULE_LENGTH) };
  if (allowed === false)
    return { decision: { allowed, reason: asText("reason", reason, MAX_REASON_LENGTH), ...named } };
  if (allowed !== true) throw new TypeError("allowed must be true or false");
  const granted = readGranted(lease, request);
  const wider = findWider(granted, request);
  if (wider !== undefined) {
    const reason = "it would grant more than was asked for";
    return { decision: { allowed: false, reason, ...named }, fault: `${reason}: ${wider}` };
  }
  return {
    decision: {
      allowed,
      lease: granted,
      ...(maxRuntimeSec === undefined ? {} : { maxRuntimeSec: asSeconds(maxRuntimeSec) }),
      ...(maxJobs === undefined ? {} : { maxJobs: asCount(maxJobs) }),
      ...named,
    },
  };
}

/** The lease with other counters; the amounts that are echoed to clients are these. */
export function withBudget(lease: Lease, budget: Readonly<Record<string, string>>): Lease {
  const amounts = Object.entries(budget).map(([currency, amount]) => `${currency}:${amount}`);
  const { "cost.budget": _amounts, ...patterns } = lease.grants;
  if (amounts.length === 0) return { ...lease, grants: patterns, budget: null };
  return { ...lease, grants: { ...patterns, "cost.budget": amounts }, budget };
}

/** Returns what was asked for, the very same, when nothing of it was taken away. */
function readGranted(value: unknown, { lease: asked, at, kind }: PolicyRequest): Lease | null {
  if (value === null) return null;
  const { grants, budget, expiresAt } = asObject("lease", value);
  const end = expiresAt ?? null;
  if (end !== null && (typeof end !== "number" || !Number.isSafeInteger(end) || end <= at)) {
    throw new TypeError("lease.expiresAt must be null, or milliseconds since the epoch, in the future");
  }
  const expiresAtText = end === null ? null : end === asked?.expiresAt ? asked.expiresAtText : timeText(end);
  // A grant's patterns are not the policy's to say: it is for one target.
  if (kind === "permission") {
    return asked === null || end === asked.expiresAt ? asked : { ...asked, expiresAt: end, expiresAtText };
  }

  const named: Record<string, unknown> = {};
  const none: Record<string, readonly string[]> = {};
  for (const [namespace, patterns] of Object.entries(asObject("lease.grants", grants))) {
    if (namespace === "cost.budget") continue;
    // Where a lease that does not name it allows every model, an empty list is what allows none.
    if (!Array.isArray(patterns) || patterns.length > 0) named[namespace] = patterns;
    else if (namespace === "model.use") none[namespace] = [];
  }
  const patterns = { ...parseLease(named, undefined, at).grants, ...none };
  const amounts = readBudget(budget);
  if (Object.keys(patterns).length === 0 && end === null && Object.keys(amounts).length === 0 && asked === null) {
    return null;
  }
  const bare: Lease = { grants: patterns, expiresAt: end, expiresAtText, budget: null };
  if (asked !== null && isSameBudget(asked.budget ?? {}, amounts)) {
    const { "cost.budget": texts } = asked.grants;
    const whole = { ...bare, grants: { ...patterns, ...(texts && { "cost.budget": texts }) }, budget: asked.budget };
    return isSame(whole, asked) ? asked : whole;
  }
  return withBudget(bare, amounts);
}

function readBudget(value: unknown): Readonly<Record<string, string>> {
  if (value === null || value === undefined) return {};
  const amounts = asObject("lease.budget", value);
  if (Object.keys(amounts).length === 0) return {};
  const parsed = parseAmounts(amounts as Readonly<Record<string, string>>, "lease.budget");
  return Object.fromEntries([...parsed].map(([currency, amount]) => [currency, formatAmount(amount)]));
}

/** The first thing that was not asked for, as a phrase; undefined when all was. */
function findWider(granted: Lease | null, { lease: asked, anyModel, kind }: PolicyRequest): string | undefined {
  if (granted === asked) return undefined;
  if (asked !== null && asked.expiresAt !== null) {
    const end = granted?.expiresAt ?? null;
    if (end === null || end > asked.expiresAt) return `an end later than ${asked.expiresAtText}`;
  }
  if (kind === "permission") return undefined;
  const patterns = asked?.grants ?? {};
  const given = granted?.grants ?? {};
  if (anyModel && Object.hasOwn(patterns, "model.use") && !Object.hasOwn(given, "model.use")) {
    return "every model, by leaving model.use out";
  }
  const effort: Effort = { steps: 0 };
  for (const [namespace, each] of Object.entries(given)) {
    if (namespace === "cost.budget") continue;
    const own = Object.hasOwn(patterns, namespace) ? patterns[namespace] : undefined;
    if (own === undefined && namespace === "model.use" && anyModel) continue;
    const cover = createCover(namespace, own ?? []);
    const beyond = each.find((pattern) => cover.covers(pattern, effort) !== "yes");
    if (beyond !== undefined) return `${namespace} ${beyond.slice(0, 256)}`;
  }
  for (const [currency, amount] of Object.entries(asked?.budget ?? {})) {
    const now = granted?.budget?.[currency];
    // Without an amount of its own a currency has no counter, and no bound.
    if (now === undefined) return `${currency} without a budget`;
    if (parseAmount(now, currency) > parseAmount(amount, currency)) return `${currency}:${now}`;
  }
  return undefined;
}

function isSame(one: Lease, other: Lease): boolean {
  const [ones, others] = [Object.entries(one.grants), other.grants];
  return (
    one.expiresAt === other.expiresAt &&
    ones.length === Object.keys(others).length &&
    ones.every(([namespace, patterns]) => {
      const theirs = Object.hasOwn(others, namespace) ? others[namespace] : undefined;
      return patterns.length === theirs?.length && patterns.every((pattern, index) => pattern === theirs[index]);
    })
  );
}

/** Both in canonical form. */
function isSameBudget(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const entries = Object.entries(one);
  return entries.length === Object.keys(other).length && entries.every(([name, amount]) => other[name] === amount);
}

function timeText(at: number): string {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) throw new TypeError("lease.expiresAt must be a time that can be written");
  return time.toISOString();
}

function asObject(what: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new TypeError(`${what} must be an object`);
}

function asText(what: string, value: unknown, longest: number): string {
  if (typeof value === "string") return value.slice(0, longest).toWellFormed();
  throw new TypeError(`${what} must be a string`);
}

function asSeconds(value: unknown): number {
  if (typeof value === "number" && value > 0 && (value <= MAX_RUNTIME_SEC || value === Infinity)) return value;
  throw new TypeError(`maxRuntimeSec must be above 0 and at most ${MAX_RUNTIME_SEC} seconds, or Infinity`);
}

function asCount(value: unknown): number {
  if (typeof value === "number" && value >= 0) return value;
  throw new TypeError("maxJobs must be a number from zero on");
}
