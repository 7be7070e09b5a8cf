/**
 * What the jobs of one life have reported so far, be it ahead of the disk: never more than the runtime must have
 * counted, so that an operation it lets start by a counter that reads zero here was let start wrongly.
 */
import type { AgentContext } from "../../src/agents/agent-context.ts";
import type { Accounts } from "./accounts.ts";
import { type Amounts, addTo } from "./decimals.ts";

interface LiveJob {
  readonly attempt: number;
  /** What was on its log when the attempt began. */
  readonly before: Amounts;
  readonly reported: Map<string, bigint>;
}

export class LiveMoney {
  readonly #accounts: Accounts;
  readonly #live = new Map<string, LiveJob>();

  constructor(accounts: Accounts) {
    this.#accounts = accounts;
  }

  /** An attempt begins. What it reports counts until it is shut out; from then on its log alone does. */
  begin({ jobId, attempt, signal }: AgentContext): void {
    const live: LiveJob = { attempt, before: new Map(this.#accounts.reportedBy(jobId)), reported: new Map() };
    this.#live.set(jobId, live);
    const end = (): void => {
      if (this.#live.get(jobId) === live) this.#live.delete(jobId);
    };
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  }

  /** The attempt was told that its report is taken. */
  report({ jobId, attempt }: AgentContext, currency: string, amount: bigint): void {
    const live = this.#live.get(jobId);
    if (live?.attempt === attempt) addTo(live.reported, currency, amount);
  }

  /** The agent function is over: what it reported will be on the log or nowhere. */
  end({ jobId, attempt }: AgentContext): void {
    if (this.#live.get(jobId)?.attempt === attempt) this.#live.delete(jobId);
  }

  /** The life is over, and with it everything that was not committed. */
  clear(): void {
    this.#live.clear();
  }

  /** What is left at most of the counters on the way from `job` to its root, by job and currency. */
  *remaining(job: string): Generator<{ readonly job: string; readonly currency: string; readonly remaining: bigint }> {
    for (const above of this.#accounts.wayUp(job)) {
      for (const [currency, granted] of this.#accounts.grantedTo(above)) {
        let spent = 0n;
        for (const below of this.#accounts.subtree(above)) spent += this.#reportedBy(below, currency);
        yield { job: above, currency, remaining: granted - spent };
      }
    }
  }

  #reportedBy(job: string, currency: string): bigint {
    const logged = this.#accounts.reportedBy(job).get(currency) ?? 0n;
    const live = this.#live.get(job);
    if (live === undefined) return logged;
    const told = (live.before.get(currency) ?? 0n) + (live.reported.get(currency) ?? 0n);
    return told > logged ? told : logged;
  }
}
