/**
 * Agents under a lease: they spend, set money aside, call tools and hand work on, in an order that follows from their
 * names. What they are let do they hold against what they may.
 */
import type { AgentContext } from "../../src/agents/agent-context.ts";
import { type AgentDefinition, defineAgent } from "../../src/agents/define-agent.ts";
import { CodedError } from "../../src/protocol/errors.ts";
import { isLeased } from "./authority.ts";
import { readDecimal, showDecimal } from "./decimals.ts";
import { type Draw, drawBy } from "./draw.ts";
import { CURRENCIES, drawAmount, drawPattern, drawSubLease, FREE_CURRENCY } from "./leases.ts";
import { drawTarget } from "./patterns.ts";
import type { AgentSurroundings, Plan, Sleep } from "./plan.ts";

/** `spender` ends when the runtime dies under it, `planner` goes on. */
export const AUTHORITY_AGENTS = ["spender", "planner"] as const;

/** How deep a tree may be: its lowest jobs hand nothing on. */
const MAX_DEPTH = 3;
/** How long an agent waits for its lease to expire. */
const LONGEST_WAIT_MS = 5_000;
const TOOLS = ["work-ab", "work-ax", "work-b", "work/ab", "play"] as const;

/** What an agent goes on after: it may try something else. */
const REFUSALS: readonly string[] = ["BUDGET_EXHAUSTED", "PERMISSION_DENIED", "LEASE_SUBSET_VIOLATION"];

export function createAuthorityAgents(surroundings: AgentSurroundings, sleep: Sleep): readonly AgentDefinition[] {
  const version = "1.0.0";
  const run = (ctx: AgentContext, input: unknown): Promise<unknown> =>
    new Spree({ ...surroundings, sleep }, surroundings.tamper?.(ctx) ?? ctx, input as Plan).run();
  return [
    defineAgent({ name: "spender", version, run }),
    defineAgent({ name: "planner", version, restart: "always", run }),
  ];
}

/** One attempt. */
class Spree {
  readonly #surroundings: AgentSurroundings & { readonly sleep: Sleep };
  readonly #ctx: AgentContext;
  readonly #plan: Plan;
  /** What every attempt of the job does alike: so that it finds again what the one before began. */
  readonly #always: Draw;
  /** What only this attempt does. */
  readonly #now: Draw;
  #children: { result(): Promise<unknown>; cancel(reason?: string): Promise<void> }[] = [];
  #delegations = 0;

  constructor(surroundings: AgentSurroundings & { readonly sleep: Sleep }, ctx: AgentContext, plan: Plan) {
    this.#surroundings = surroundings;
    this.#ctx = ctx;
    this.#plan = plan;
    this.#always = drawBy(plan.tag);
    this.#now = drawBy(`${plan.tag} ${ctx.attempt}`);
  }

  async run(): Promise<unknown> {
    const { money } = this.#surroundings;
    money.begin(this.#ctx);
    try {
      for (const size of this.#plan.bursts) {
        for (let act = 0; act < Math.min(size, 4); act++) await this.#tolerate(() => this.#act());
        await this.#surroundings.sleep(this.#plan.pauseMs, this.#ctx.signal);
      }
      if (this.#always.chance(0.5)) for (const child of this.#children) await child.result().catch(() => {});
      return { children: this.#children.length };
    } finally {
      money.end(this.#ctx);
    }
  }

  /** A refusal is no reason to give up, but for the end of the lease or of the job. */
  async #tolerate(act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      // What is asked for does not change with the time: it may have expired before it is asked for.
      const isPast = error.details?.field === "lease_constraints.expires_at";
      if (!isPast && !REFUSALS.includes(error.code)) throw error;
    }
  }

  #act(): Promise<unknown> {
    switch (this.#always.int(10)) {
      case 0:
      case 1:
        return this.#charge();
      case 2:
        return this.#tool();
      case 3:
        return Promise.all([this.#tolerate(() => this.#tool()), this.#charge()]);
      case 4:
        return this.#reserve();
      case 5:
      case 6:
        return this.#delegate();
      case 7:
        return this.#lateTool();
      case 8:
        return this.#authorize();
      default:
        return this.#cancelChild();
    }
  }

  /** Waits for the lease's end, whatever its signal says, and goes on as if nothing were. */
  async #lateTool(): Promise<void> {
    const { sleep, now } = this.#surroundings;
    const leftMs = (this.#ctx.lease?.expiresAt ?? Number.POSITIVE_INFINITY) - now();
    if (leftMs > LONGEST_WAIT_MS) return;
    await sleep(Math.max(0, leftMs - 1 + this.#now.int(900)));
    await this.#tool();
  }

  async #charge(): Promise<void> {
    const { money } = this.#surroundings;
    const currency = this.#now.pick([...CURRENCIES, FREE_CURRENCY] as [string, ...string[]]);
    const amount = drawAmount(this.#now, this.#now.chance(0.05) ? 20 : 2);
    if (this.#now.chance(0.5)) await this.#ctx.charge({ [currency]: amount });
    else await this.#ctx.metric({ name: "cost.sim", value: amount, unit: currency });
    money.report(this.#ctx, currency, readDecimal(amount));
    this.#compare(currency);
  }

  /** What is shown of a counter is not more than what must be left. */
  #compare(currency: string): void {
    const { money, judge } = this.#surroundings;
    const shown = this.#ctx.budget.remaining(currency);
    for (const { job, currency: of, remaining } of money.remaining(this.#ctx.jobId)) {
      if (of !== currency) continue;
      if (shown === undefined || readDecimal(shown) > remaining)
        judge.report("money-is-exact", `${job}: ${shown} ${currency} is shown, and ${showDecimal(remaining)} is left`);
      return;
    }
  }

  async #tool(): Promise<void> {
    const { sleep } = this.#surroundings;
    const name = this.#now.pick(TOOLS);
    const pauseMs = this.#now.int(5);
    const operation = this.#ctx.tool(name, { n: 1 }, async ({ signal }) => {
      this.#judgeStart("tool.call", name);
      await sleep(pauseMs, signal);
      return "done";
    });
    await this.#judged(operation, "tool.call", name);
  }

  /** Asks for what a client of its own would do. */
  async #authorize(): Promise<void> {
    const [namespace, pattern] = drawPattern(this.#now);
    const target = drawTarget(namespace, pattern, this.#now);
    const isCovered = isLeased(this.#ctx.lease, namespace, target, this.#surroundings.now());
    await this.#judged(this.#ctx.authorize(namespace, target), namespace, target);
    if (isCovered) return;
    this.#surroundings.judge.report(
      "operations-are-leased",
      `${this.#ctx.jobId}: ${namespace} on ${target} was allowed`,
    );
  }

  /** A refusal has its reason: what the lease lacks, or a counter that has nothing left. */
  async #judged(operation: Promise<unknown>, namespace: string, target: string): Promise<void> {
    try {
      await operation;
    } catch (error) {
      const { judge, now } = this.#surroundings;
      const { jobId, lease } = this.#ctx;
      const refused = `${jobId}: ${namespace} on ${target} was refused`;
      if (
        error instanceof CodedError &&
        error.code === "PERMISSION_DENIED" &&
        isLeased(lease, namespace, target, now())
      )
        judge.report("refusals-have-causes", `${refused}, and the lease covers it`);
      if (error instanceof CodedError && error.code === "BUDGET_EXHAUSTED") {
        const { remaining } = error.details as { remaining: string };
        if (readDecimal(remaining) > 0n) judge.report("refusals-have-causes", `${refused} with ${remaining} left`);
      }
      throw error;
    }
  }

  /** The guard has said yes in this very turn. */
  #judgeStart(namespace: string, target: string): void {
    const { judge, now } = this.#surroundings;
    const { jobId, lease } = this.#ctx;
    if (!isLeased(lease, namespace, target, now())) {
      judge.report("operations-are-leased", `${jobId}: ${namespace} on ${target} was started at ${now()}`);
    }
    const exhausted = this.#findExhausted();
    if (exhausted !== undefined)
      judge.report("nothing-starts-at-zero", `${jobId}: ${target} was started, and ${exhausted}`);
  }

  /** A counter that reads zero or less, in words; in `currency`, or in any. What is spent stays so: it never rises again. */
  #findExhausted(currency?: string): string | undefined {
    for (const { job, currency: of, remaining } of this.#surroundings.money.remaining(this.#ctx.jobId)) {
      if (remaining <= 0n && (currency ?? of) === of) return `${job} has ${showDecimal(remaining)} ${of} left`;
    }
    return undefined;
  }

  /** To be called for what was promised although a counter had read zero when it was asked for. */
  #judgePromise(exhausted: string, what: string): void {
    // A later attempt finds again what was promised when there was money.
    if (this.#ctx.attempt > 1) return;
    const { jobId } = this.#ctx;
    this.#surroundings.judge.report("nothing-starts-at-zero", `${jobId}: ${what} was promised, and ${exhausted}`);
  }

  async #reserve(): Promise<void> {
    const { money, sleep } = this.#surroundings;
    const currency = this.#always.pick(CURRENCIES);
    const amount = drawAmount(this.#always, 2);
    const exhausted = this.#findExhausted(currency);
    const reservation = await this.#ctx.budget.reserve({ [currency]: amount });
    if (exhausted !== undefined && readDecimal(amount) > 0n) this.#judgePromise(exhausted, `${amount} ${currency}`);
    await sleep(this.#now.int(10), this.#ctx.signal);
    const fate = this.#now.int(4);
    if (fate === 0) return reservation.release();
    // One that is never settled counts as spent, or is given back, when the job ends.
    if (fate === 1) return;
    const actual = this.#now.chance(0.5) ? amount : drawAmount(this.#now, 3);
    await reservation.commit({ [currency]: actual });
    // What an earlier attempt committed is charged already.
    if (reservation.committed) return;
    money.report(this.#ctx, currency, readDecimal(actual));
  }

  async #delegate(): Promise<void> {
    const { judge } = this.#surroundings;
    const { lease } = this.#ctx;
    const { depth = 0, tag, askedAt } = this.#plan;
    if (depth >= MAX_DEPTH || lease === null) return;
    const draw = drawBy(`${tag} child ${this.#delegations}`);
    const name = `${tag}/${this.#delegations++}`;
    const { request, constraints, wider } = drawSubLease(draw, lease, askedAt);
    const agent = draw.pick(AUTHORITY_AGENTS);
    const plan: Plan = {
      tag: name,
      depth: depth + 1,
      askedAt,
      bursts: Array.from({ length: draw.int(4) }, () => draw.int(4)),
      pauseMs: draw.int(20),
    };
    const exhausted = this.#findExhausted();
    try {
      const child = await this.#ctx.delegate(agent, plan, {
        lease: request,
        expiresAt: constraints?.expires_at,
        ...(draw.chance(0.5) && { key: name }),
      });
      this.#children.push(child);
      if (exhausted !== undefined) this.#judgePromise(exhausted, child.jobId);
      if (wider)
        judge.report("authority-within-parent", `${child.jobId} asked for more than its parent has, and got it`);
    } catch (error) {
      if (error instanceof CodedError) this.#checkRefusal(error, wider);
      throw error;
    }
  }

  /** What was asked for lay within the lease: only want of money can be the reason. */
  #checkRefusal({ code, message, details }: CodedError, wider: boolean): void {
    const { available, requested } = details as { available?: string; requested?: string };
    if (code !== "LEASE_SUBSET_VIOLATION" || wider) return;
    const isShort =
      available !== undefined && requested !== undefined && readDecimal(available) < readDecimal(requested);
    if (!isShort)
      this.#surroundings.judge.report(
        "refusals-have-causes",
        `${this.#ctx.jobId}: a delegation was refused: ${message}`,
      );
  }

  async #cancelChild(): Promise<void> {
    await this.#children.pop()?.cancel("no longer needed");
  }
}
