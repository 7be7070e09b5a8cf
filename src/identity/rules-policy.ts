/** Decides by rules: who asks for which agent finds the first rule that fits, and what lies beyond its bounds is refused or cut. */
import { type Cover, createCover, MAX_COVER_STEPS } from "../kernel/authority/covers.ts";
import { parseAmount } from "../kernel/authority/decimal.ts";
import type { Effort } from "../kernel/authority/glob.ts";
import { LEASE_LIMITS } from "../kernel/authority/lease.ts";
import { compilePatterns } from "../kernel/authority/patterns.ts";
import type { Policy, PolicyDecision, PolicyRequest } from "../kernel/authority/policy.ts";
import { matchesPrincipal, principalKey } from "../kernel/principal.ts";
import { type PolicyRules, type ReadyRule, readRules } from "./policy-rules.ts";

type Patterns = readonly string[];

/** Of a rule's patterns, how many a refusal names. */
const MAX_NAMED = 5;
/** What it costs to begin with one pattern against one of a rule's, in steps of the search, so that a lease of many holds nobody up. */
const STEPS_OF_A_CUT = 50;

/** @throws RangeError naming the field that makes no sense. */
export function createRulesPolicy(given: PolicyRules): Policy {
  const rules = readRules(given).map((rule) => ({ rule, ceiling: createCeiling(rule) }));
  return {
    decide(request) {
      const found = rules.find(({ rule }) => fits(rule, request));
      if (found === undefined) return { allowed: false, reason: "no rule of it is for this principal and agent" };
      const { rule, ceiling } = found;
      if (rule.refuse !== undefined) return refusal(rule, rule.refuse);
      try {
        return request.permission === undefined ? boundLease(rule, ceiling, request) : boundPermission(rule, request);
      } catch (error) {
        if (error instanceof Beyond) return refusal(rule, error.message);
        throw error;
      }
    },
  };
}

function fits({ principals, roles, agentPatterns }: ReadyRule, { principal, agent }: PolicyRequest): boolean {
  const key = principalKey(principal);
  return (
    (principals === undefined || principals.some((pattern) => matchesPrincipal(pattern, key))) &&
    (roles === undefined || roles.some((role) => principal.roles.includes(role))) &&
    (agentPatterns === undefined || agentPatterns.matches(agent))
  );
}

function refusal({ name }: ReadyRule, reason: string): PolicyDecision {
  return { allowed: false, reason, rule: name };
}

/** What was asked for lies beyond a rule that cuts nothing; the message says what. */
class Beyond extends Error {}

/** A rule's patterns, ready to be held against others; made when they are first asked. */
interface Ceiling {
  readonly patterns: Readonly<Record<string, Patterns>>;
  coverOf(namespace: string): Cover;
}

function createCeiling({ lease }: ReadyRule): Ceiling | undefined {
  if (lease === undefined) return undefined;
  const covers = new Map<string, Cover>();
  return {
    patterns: lease,
    coverOf(namespace) {
      const cover = covers.get(namespace) ?? createCover(namespace, lease[namespace] ?? []);
      covers.set(namespace, cover);
      return cover;
    },
  };
}

function boundLease(rule: ReadyRule, ceiling: Ceiling | undefined, request: PolicyRequest): PolicyDecision {
  const { lease, maxRuntimeSec } = request;
  const grants = boundPatterns(rule, ceiling, request);
  const budget = boundBudget(rule, request);
  const expiresAt = boundEnd(rule, request);
  const isEmpty = lease === null && expiresAt === null && Object.keys(grants).length + Object.keys(budget).length === 0;
  const runtime = boundAmount(rule, "max_runtime_sec", maxRuntimeSec, rule.maxRuntimeSec);
  return {
    allowed: true,
    lease: isEmpty ? null : { grants, budget, expiresAt, expiresAtText: null },
    ...(runtime === null ? {} : { maxRuntimeSec: runtime }),
    ...(rule.maxJobs === undefined ? {} : { maxJobs: rule.maxJobs }),
    rule: rule.name,
  };
}

function boundPatterns(
  rule: ReadyRule,
  ceiling: Ceiling | undefined,
  { lease, anyModel }: PolicyRequest,
): Readonly<Record<string, Patterns>> {
  const { "cost.budget": _amounts, ...asked } = lease?.grants ?? {};
  if (ceiling === undefined) return asked;
  const granted: Record<string, Patterns> = {};
  const effort: Effort = { steps: 0 };
  for (const [namespace, patterns] of Object.entries(asked)) {
    const left = isCut(rule)
      ? cutPatterns(namespace, patterns, ceiling, effort)
      : assertWithin(namespace, patterns, ceiling, effort);
    if (left.length > 0 || namespace === "model.use") granted[namespace] = left;
  }
  // A lease that does not name it asks for every model there.
  if (anyModel && !Object.hasOwn(asked, "model.use")) granted["model.use"] = ceiling.patterns["model.use"] ?? [];
  return granted;
}

function assertWithin(namespace: string, patterns: Patterns, ceiling: Ceiling, effort: Effort): Patterns {
  const cover = ceiling.coverOf(namespace);
  const beyond = patterns.find((pattern) => cover.covers(pattern, effort) !== "yes");
  if (beyond === undefined) return patterns;
  throw new Beyond(
    `${namespace} ${beyond.slice(0, 256)} lies beyond what may be granted, ${allowedBy(ceiling, namespace)}`,
  );
}

/**
 * What a pattern and the rule's have in common, as far as patterns can say it: the pattern where the rule covers it, else
 * those of the rule that it covers. What merely overlaps is left out: never more than both, perhaps less.
 */
function cutPatterns(namespace: string, patterns: Patterns, ceiling: Ceiling, effort: Effort): Patterns {
  const kept = new Set<string>();
  const cover = ceiling.coverOf(namespace);
  const own = Object.hasOwn(ceiling.patterns, namespace) ? ceiling.patterns[namespace] : undefined;
  for (const pattern of patterns) {
    if (cover.covers(pattern, effort) === "yes") {
      kept.add(pattern);
      continue;
    }
    const asked = createCover(namespace, [pattern]);
    for (const each of own ?? []) {
      effort.steps += STEPS_OF_A_CUT;
      if (effort.steps > MAX_COVER_STEPS) {
        throw new Beyond(`${namespace} takes too long to be cut to what may be granted: ask for fewer patterns`);
      }
      if (asked.covers(each, effort) === "yes") kept.add(each);
    }
  }
  const length = [...kept].reduce((sum, pattern) => sum + pattern.length, 0);
  if (kept.size > LEASE_LIMITS.patterns || length > LEASE_LIMITS.patternsLength) {
    throw new Beyond(`what is left of ${namespace} has more patterns than a lease may have: ask for fewer`);
  }
  return [...kept];
}

function boundBudget(rule: ReadyRule, { lease, inheritedBudget }: PolicyRequest): Readonly<Record<string, string>> {
  const asked = lease?.budget ?? {};
  if (rule.budget === undefined) return asked;
  const granted: Record<string, string> = { ...asked };
  for (const [currency, most] of Object.entries(rule.budget)) {
    const bound = parseAmount(most, currency);
    const amount = Object.hasOwn(asked, currency) ? asked[currency] : undefined;
    if (amount === undefined) {
      // Spent from the counter of a job above, which may have less left than the rule allows; below zero too.
      const left = Object.hasOwn(inheritedBudget, currency) ? inheritedBudget[currency] : undefined;
      if (left === undefined || (!left.startsWith("-") && parseAmount(left, currency) > bound))
        granted[currency] = most;
    } else if (parseAmount(amount, currency) > bound) {
      if (!isCut(rule)) throw new Beyond(`a budget of ${currency}:${amount} is more than ${currency}:${most}`);
      granted[currency] = most;
    }
  }
  if (Object.keys(granted).length > LEASE_LIMITS.currencies) {
    throw new Beyond(`with the currencies that it bounds there are more than ${LEASE_LIMITS.currencies}`);
  }
  return granted;
}

function boundEnd(rule: ReadyRule, { lease, at }: PolicyRequest): number | null {
  const most = rule.maxLeaseSec === undefined ? undefined : Math.floor(at + rule.maxLeaseSec * 1_000);
  return boundAmount(rule, "expires_at", lease?.expiresAt ?? null, most, (time) => new Date(time).toISOString());
}

/** @param asked null where it was left open: then it is the bound. */
function boundAmount(
  rule: ReadyRule,
  what: string,
  asked: number | null,
  most: number | undefined,
  text: (amount: number) => string = String,
): number | null {
  if (most === undefined) return asked;
  if (asked === null || asked <= most) return asked ?? most;
  if (isCut(rule)) return most;
  throw new Beyond(`${what} ${text(asked)} lies beyond ${text(most)}`);
}

/** One target is within or it is not; its end can be cut. */
function boundPermission(rule: ReadyRule, request: PolicyRequest): PolicyDecision {
  const { permission: namespace = "", resource = "" } = request.permission ?? {};
  const own = rule.lease === undefined || Object.hasOwn(rule.lease, namespace) ? rule.lease?.[namespace] : [];
  if (own !== undefined && !compilePatterns(namespace, own).matches(resource)) {
    const what = own.length === 0 ? "nothing of it" : own.slice(0, MAX_NAMED).join(", ");
    throw new Beyond(`${namespace} on ${resource.slice(0, 256)} lies beyond what may be granted, ${what}`);
  }
  const { lease } = request;
  const expiresAt = boundEnd(rule, request);
  return { allowed: true, lease: lease && { ...lease, expiresAt }, rule: rule.name };
}

const isCut = ({ beyond }: ReadyRule): boolean => beyond === "cut";

function allowedBy({ patterns }: Ceiling, namespace: string): string {
  const own = Object.hasOwn(patterns, namespace) ? (patterns[namespace] ?? []) : [];
  return own.length === 0 ? "nothing of it" : own.slice(0, MAX_NAMED).join(", ");
}
