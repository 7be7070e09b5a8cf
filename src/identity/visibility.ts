/**
 * Who may see, and who may stop, whose jobs. Always: everyone their own, and operators all of their tenant. More only by
 * a policy, and only to see: nobody stops a job because they may watch it. Every face asks here, so that a job is either
 * visible by all ways or by none.
 */
import { type AuditEntry, type AuditQuery, NOBODY_SCOPE } from "../kernel/audit/audit-row.ts";
import type { JobRecord } from "../kernel/job/job-record.ts";
import {
  everyoneOf,
  matchesPrincipal,
  type Principal,
  type PrincipalPattern,
  principalKey,
  tenantOf,
} from "../kernel/principal.ts";
import { DEFAULT_TENANT } from "./token-record.ts";

/**
 * Who may observe whom, beside everyone their own jobs. As data: observer → the principals whose jobs it may see, both
 * as `tenant/id` or `tenant/*`, such as `{ "default/dashboard": ["default/*"] }`. As a function: the same list for one
 * observer, asked at every decision; it must be quick and always give the same answer while a listing is paged through.
 */
export type ObservePolicy =
  | Readonly<Record<PrincipalPattern, readonly PrincipalPattern[]>>
  | ((observer: Principal) => readonly PrincipalPattern[]);

export interface Visibility {
  /** Whether the principal may see the job: list it, subscribe to it, read its log and artifacts. */
  mayObserve(principal: Principal, job: Pick<JobRecord, "principal">): boolean;
  /** Whether the principal may stop the job from elsewhere than the session it was submitted in. Implies `mayObserve`. */
  mayControl(principal: Principal, job: Pick<JobRecord, "principal">): boolean;
  /** Whose jobs the principal may see: `JobQuery.principals`. Holds the principal's own key, unless a pattern covers it. */
  observable(principal: Principal): readonly PrincipalPattern[];
  /** Whose audit the principal may read: their own and of what is theirs; operators, their tenant's. */
  auditScopes(principal: Principal): AuditQuery["scopes"];
  /** Whether the principal may know what concerns nobody in particular, or everyone together: it runs the installation. */
  operatesRuntime(principal: Principal): boolean;
  /** An entry as the principal may read it: nothing in it tells of a job that it may not see. */
  auditView(principal: Principal, entry: AuditEntry): AuditEntry;
}

/** Patterns in one rule; more are refused. Of what several rules or a function give one observer, the first so many count. */
export const MAX_OBSERVED = 100;

/**
 * @param observe default: nobody sees more than their own, and operators their tenant.
 * @throws Error naming the entry that is no pattern.
 */
export function createVisibility(observe: ObservePolicy = {}): Visibility {
  const granted = typeof observe === "function" ? observe : readPolicy(observe);

  function observable(principal: Principal): readonly PrincipalPattern[] {
    const own = isOperator(principal) ? everyoneOf(principal.tenant) : principalKey(principal);
    const more = granted(principal).slice(0, MAX_OBSERVED);
    const patterns = [own, ...more];
    return patterns.filter((pattern, index) =>
      patterns.every((other, at) => at === index || !covers(other, pattern) || (other === pattern && at > index)),
    );
  }

  function mayControl(principal: Principal, { principal: owner }: Pick<JobRecord, "principal">): boolean {
    return owner === principalKey(principal) || (isOperator(principal) && tenantOf(owner) === principal.tenant);
  }

  function mayObserve(principal: Principal, job: Pick<JobRecord, "principal">): boolean {
    if (mayControl(principal, job)) return true;
    const patterns = granted(principal).slice(0, MAX_OBSERVED);
    return patterns.some((pattern) => matchesPrincipal(pattern, job.principal));
  }

  return {
    mayControl,
    mayObserve,
    observable,
    operatesRuntime,
    auditScopes(principal) {
      if (!isOperator(principal)) return [principalKey(principal)];
      const everyone = everyoneOf(principal.tenant);
      return operatesRuntime(principal) ? [everyone, NOBODY_SCOPE] : [everyone];
    },
    auditView(principal, entry) {
      const seen = entry.owner === null || mayObserve(principal, { principal: entry.owner });
      return seen ? entry : { ...entry, owner: null };
    },
  };
}

/** Who runs an installation is an operator of the tenant it begins with. */
function operatesRuntime(principal: Principal): boolean {
  return isOperator(principal) && principal.tenant === DEFAULT_TENANT;
}

function isOperator(principal: Principal): boolean {
  return principal.roles.includes("operator");
}

function covers(pattern: PrincipalPattern, other: PrincipalPattern): boolean {
  return pattern === other || (!other.endsWith("/*") && matchesPrincipal(pattern, other));
}

/** `tenant/id` or `tenant/*`, of what may stand in a principal's key. */
const PATTERN = /^[^/*\p{C}]+\/(?:\*|[^/*\p{C}][^/\p{C}]*)$/u;

function readPolicy(policy: Exclude<ObservePolicy, (observer: Principal) => unknown>) {
  const rules = Object.entries(policy);
  for (const [observer, observed] of rules) {
    requirePattern(observer, "an observer");
    if (!Array.isArray(observed) || observed.length > MAX_OBSERVED) {
      throw new Error(`observe: "${observer}" must have a list of at most ${MAX_OBSERVED} principals`);
    }
    for (const pattern of observed) requirePattern(pattern, `what "${observer}" may observe`);
  }
  return (observer: Principal): readonly PrincipalPattern[] => {
    const key = principalKey(observer);
    return rules.flatMap(([pattern, observed]) => (matchesPrincipal(pattern, key) ? observed : []));
  };
}

export function isPrincipalPattern(text: unknown): text is PrincipalPattern {
  return typeof text === "string" && PATTERN.test(text);
}

function requirePattern(text: unknown, what: string): void {
  if (isPrincipalPattern(text)) return;
  throw new Error(
    `observe: ${what} must be tenant/id or tenant/*, such as default/dashboard, not ${JSON.stringify(text)}`,
  );
}
