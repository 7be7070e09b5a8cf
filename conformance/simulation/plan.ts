/** What agents of a run are asked to do, and what they stand in. */
import type { AgentContext } from "../../src/agents/agent-context.ts";
import type { Timers } from "../../src/platform/world.ts";
import type { Judge } from "./laws.ts";
import type { Ledger } from "./ledger.ts";
import type { LiveMoney } from "./live-money.ts";

/** What a submission asks an agent to do. */
export interface Plan {
  /** Names the ask: no two jobs may carry the same. */
  readonly tag: string;
  /** How many events, burst by burst. */
  readonly bursts: readonly number[];
  /** Pause after each burst. */
  readonly pauseMs: number;
  /** How many jobs stand above this one. Default: none. */
  readonly depth?: number;
  /** When the root was asked for: what every attempt counts times from. */
  readonly askedAt: number;
}

/** Trusts its argument: inputs of a run are made by the run. */
export function readPlan(input: unknown): Plan {
  return input as Plan;
}

export interface AgentSurroundings {
  readonly timers: Timers;
  readonly ledger: Ledger;
  readonly money: LiveMoney;
  readonly judge: Judge;
  now(): number;
  /** What agents under a lease are handed instead of their `ctx`. */
  readonly tamper?: ((ctx: AgentContext) => AgentContext) | undefined;
}

/** Rejects when the signal aborts. */
export type Sleep = (ms: number, signal?: AbortSignal) => Promise<void>;
