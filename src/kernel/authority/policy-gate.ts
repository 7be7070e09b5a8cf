/**
 * Asks the policy, and closes where it does not answer well: what throws, hangs, speaks nonsense or would widen authority
 * refuses. Every decision is audited. A runtime without a policy has no gate.
 */
import type { Log } from "../../platform/log.ts";
import type { World } from "../../platform/world.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { AuditedDecision } from "../audit/audit-trail.ts";
import type { JobId } from "../ids.ts";
import { type PrincipalKey, principalKey } from "../principal.ts";
import type { Lease } from "./lease.ts";
import type { Policy, PolicyRequest } from "./policy.ts";
import { type Reading, readDecision } from "./policy-decision.ts";

/** How long a policy may think about one decision, in milliseconds. Then it is refused, with a retryable error. */
export const POLICY_ANSWER_MS = 5_000;
/** Decisions that a policy may be thinking about at a time. Further ones are refused, with a retryable error. */
export const MAX_POLICY_QUESTIONS = 1_000;
/** The same for one principal, so that nobody who asks in a flood keeps the policy from everyone. */
export const MAX_POLICY_QUESTIONS_PER_PRINCIPAL = 100;
/** A policy's faults are logged at most this often; the others are counted. */
const FAULTS_TOLD_EVERY_MS = 1_000;
/** Of a permission's resource, what the audit tells, in UTF-16 units. */
const MAX_RESOURCE_TOLD = 512;
/** What a refused client is told to wait before it tries again. */
const RETRY_AFTER_MS = 1_000;

export interface PolicyQuestion extends Pick<PolicyRequest, "kind" | "principal" | "agent" | "lease"> {
  readonly maxRuntimeSec?: number | undefined;
  readonly inheritedBudget?: PolicyRequest["inheritedBudget"];
  readonly permission?: PolicyRequest["permission"];
  /** The job it concerns, for the audit; null where there is none yet. */
  readonly job: JobId | null;
  /** Whose the job is, or will be. */
  readonly owner: PrincipalKey;
}

/** What may be granted. */
export interface Ruling {
  /** The very lease that was asked for when nothing of it was taken away. */
  readonly lease: Lease | null;
  /** Undefined for no bound. */
  readonly maxRuntimeSec: number | undefined;
  readonly maxJobs: number | undefined;
  /** Currencies that were left open and are bounded now. */
  readonly bounded: readonly string[];
  readonly rule: string | undefined;
}

export class PolicyGate {
  readonly #policy: Policy;
  readonly #world: World;
  readonly #log: Log;
  readonly #audit: (decision: AuditedDecision) => void;
  readonly #anyModel: boolean;
  #thinking = 0;
  readonly #thinkingFor = new Map<PrincipalKey, number>();
  #faultTold = Number.NEGATIVE_INFINITY;
  #faultsUntold = 0;

  constructor(options: {
    policy: Policy;
    world: World;
    log: Log;
    audit: (decision: AuditedDecision) => void;
    /** See `GuardOptions`. */
    requireModelUse?: boolean | undefined;
  }) {
    this.#policy = options.policy;
    this.#world = options.world;
    this.#log = options.log;
    this.#audit = options.audit;
    this.#anyModel = options.requireModelUse === false;
  }

  /**
   * In the same turn, where the policy answers so: then nothing can happen in between.
   * @throws CodedError PERMISSION_DENIED with details `{ rule }`, null for a refusal without one; INTERNAL_ERROR when the
   * policy threw, did not answer in time, or spoke nonsense.
   */
  ask(question: PolicyQuestion): Ruling | Promise<Ruling> {
    const request = this.#requestOf(question);
    const answer = this.#call(question, () => this.#policy.decide(structuredClone(request)));
    if (!isLater(answer)) return this.#rule(question, request, answer);
    return this.#inTime(question, answer).then((decision) => this.#rule(question, request, decision));
  }

  /** Whether the policy answers requests for permissions before people do. */
  get answers(): boolean {
    return this.#policy.answer !== undefined;
  }

  /** What the policy says to a request before people are asked; undefined where it leaves it to them. @throws as `ask`. */
  async answer(question: PolicyQuestion): Promise<Ruling | undefined> {
    const request = this.#requestOf(question);
    const answer = this.#call(question, () => this.#policy.answer?.(structuredClone(request)));
    const decision = isLater(answer) ? await this.#inTime(question, answer) : answer;
    return decision === undefined ? undefined : this.#rule(question, request, decision);
  }

  /** The policy gets copies: what it does to them is done to nobody. */
  #call<Answer>(question: PolicyQuestion, ask: () => Answer): Answer {
    this.#assertHeard(question);
    try {
      const answer = ask();
      // Looked at here, where it may throw.
      isLater(answer);
      return answer;
    } catch (error) {
      throw this.#fail(question, "it threw", error);
    }
  }

  /** Before it is called: nothing tells a policy that nobody waits for its answer. */
  #assertHeard(question: PolicyQuestion): void {
    const own = this.#thinkingFor.get(principalKey(question.principal)) ?? 0;
    const isFull = own >= MAX_POLICY_QUESTIONS_PER_PRINCIPAL;
    if (!isFull && this.#thinking < MAX_POLICY_QUESTIONS) return;
    const many = isFull ? `${own} decisions of this principal` : `${this.#thinking} decisions`;
    throw this.#fail(question, `${many} are waited for already`, undefined);
  }

  /**
   * Whether one more job fits under what the policy lets a principal have under way.
   * @param underWay without the new one.
   * @throws CodedError PERMISSION_DENIED, retryable, with details `{ rule, limit, count }`.
   */
  assertRoom(question: PolicyQuestion, { maxJobs, rule }: Ruling, underWay: number): void {
    if (maxJobs === undefined || underWay < maxJobs) return;
    const reason = `${underWay} jobs of ${principalKey(question.principal)} are under way, and the policy allows ${maxJobs} (maxJobs)`;
    throw this.#refuse(question, { reason, rule, retryable: true, details: { limit: "maxJobs", count: maxJobs } });
  }

  /**
   * Whether the policy has left what the agent needs.
   * @param check throws PERMISSION_DENIED with details `{ needs }` for a lease that lacks it.
   * @throws CodedError PERMISSION_DENIED with details `{ rule, needs }`.
   */
  assertNeeds(question: PolicyQuestion, { lease, rule }: Ruling, check: (lease: Lease | null) => void): void {
    if (lease === question.lease) return;
    try {
      check(lease);
    } catch (error) {
      if (!(error instanceof CodedError) || error.code !== "PERMISSION_DENIED") throw error;
      const needs = Object(error.details?.needs) as object;
      const reason = `it leaves nothing of ${Object.keys(needs).join(", ")}, which the agent needs`;
      throw this.#refuse(question, { reason, rule, details: { needs } });
    }
  }

  async #inTime<Answer>(question: PolicyQuestion, answer: PromiseLike<Answer>): Promise<Answer> {
    const thinking = Promise.resolve(answer);
    const asker = principalKey(question.principal);
    const late = Promise.withResolvers<never>();
    const timer = this.#world.timers.after(POLICY_ANSWER_MS, () =>
      late.reject(new Error(`no answer within ${POLICY_ANSWER_MS / 1_000} s`)),
    );
    this.#thinking++;
    this.#thinkingFor.set(asker, (this.#thinkingFor.get(asker) ?? 0) + 1);
    try {
      return await Promise.race([thinking, late.promise]);
    } catch (error) {
      throw this.#fail(question, "it failed", error);
    } finally {
      timer.cancel();
      this.#thinking--;
      const left = (this.#thinkingFor.get(asker) ?? 1) - 1;
      if (left > 0) this.#thinkingFor.set(asker, left);
      else this.#thinkingFor.delete(asker);
    }
  }

  #rule(question: PolicyQuestion, request: PolicyRequest, answer: unknown): Ruling {
    let reading: Reading;
    try {
      reading = readDecision(answer, request);
    } catch (error) {
      throw this.#fail(question, "its answer is no decision", error);
    }
    const { decision, fault } = reading;
    if (fault !== undefined) this.#tellFault(question, fault, undefined);
    if (!decision.allowed) throw this.#refuse(question, { reason: decision.reason, rule: decision.rule });
    const { lease, maxRuntimeSec, maxJobs, rule } = decision;
    const asked = request.maxRuntimeSec ?? Infinity;
    const most = Math.min(asked, maxRuntimeSec ?? Infinity);
    const isReduced = lease !== request.lease || most < asked;
    this.#audit({ ...this.#audited(question, rule, isReduced ? { reduced: true } : {}), allowed: true });
    return {
      lease,
      maxRuntimeSec: most === Infinity ? undefined : most,
      maxJobs: maxJobs === Infinity ? undefined : maxJobs,
      bounded: isReduced
        ? Object.keys(lease?.budget ?? {}).filter((name) => !Object.hasOwn(request.lease?.budget ?? {}, name))
        : [],
      rule,
    };
  }

  #requestOf({ kind, principal, agent, lease, ...more }: PolicyQuestion): PolicyRequest {
    const { maxRuntimeSec = null, inheritedBudget = {}, permission } = more;
    return {
      kind,
      principal: { id: principal.id, tenant: principal.tenant, roles: principal.roles },
      agent,
      lease,
      maxRuntimeSec,
      anyModel: this.#anyModel,
      inheritedBudget,
      ...(permission && { permission }),
      at: this.#world.clock.now(),
    };
  }

  #refuse(
    question: PolicyQuestion,
    { reason, rule = undefined, retryable = false, details = {} }: Refusal,
  ): CodedError {
    this.#audit({ ...this.#audited(question, rule, { code: "PERMISSION_DENIED", reason }), allowed: false });
    const by = rule === undefined ? "" : ` (rule ${rule})`;
    return new CodedError("PERMISSION_DENIED", `the policy refuses ${question.agent}: ${reason}${by}`, {
      retryable,
      details: {
        rule: rule ?? null,
        ...details,
        ...(retryable && { retry_after_ms: RETRY_AFTER_MS }),
      },
    });
  }

  #fail(question: PolicyQuestion, what: string, cause: unknown): CodedError {
    this.#tellFault(question, what, cause);
    this.#audit({ ...this.#audited(question, undefined, { code: "INTERNAL_ERROR", reason: what }), allowed: false });
    return new CodedError(
      "INTERNAL_ERROR",
      "the policy could not decide, and nothing is granted without it; try again",
      {
        cause,
      },
    );
  }

  #tellFault({ kind, agent, principal }: PolicyQuestion, fault: string, error: unknown): void {
    const now = this.#world.clock.now();
    if (now - this.#faultTold < FAULTS_TOLD_EVERY_MS) {
      this.#faultsUntold++;
      return;
    }
    const others = this.#faultsUntold === 0 ? {} : { others: this.#faultsUntold };
    this.#faultTold = now;
    this.#faultsUntold = 0;
    const about = { kind, agent, principal: principalKey(principal), ...others };
    this.#log.error({ err: error, ...about }, `the policy is at fault, and refuses by it: ${fault}`);
  }

  #audited(
    { kind, agent, principal, permission, job, owner }: PolicyQuestion,
    rule: string | undefined,
    more: Readonly<Record<string, unknown>>,
  ): Omit<AuditedDecision, "allowed"> {
    return {
      principal: principalKey(principal),
      action: "policy.decide",
      job,
      owner,
      details: {
        ...more,
        kind,
        agent,
        ...(rule !== undefined && { rule }),
        ...(permission && { ...permission, resource: permission.resource.slice(0, MAX_RESOURCE_TOLD).toWellFormed() }),
      },
    };
  }
}

interface Refusal {
  readonly reason: string;
  readonly rule: string | undefined;
  readonly retryable?: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
}

function isLater<Answer>(answer: Answer | PromiseLike<Answer>): answer is PromiseLike<Answer> {
  return typeof (answer as { then?: unknown } | null | undefined)?.then === "function";
}
