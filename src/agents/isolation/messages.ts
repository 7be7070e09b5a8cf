/**
 * What goes through the pipe between the runtime and an agent in a process of its own: one JSON object a line, both ways.
 * The agent's process believes the runtime. The runtime believes nothing it reads: see `hosted-agent.ts`.
 */
import type { BudgetView } from "../../kernel/authority/budget-view.ts";
import type { JobRecord } from "../../kernel/job/job-record.ts";
import type { ModelPrices } from "../prices.ts";
import type { PipeError } from "./pipe-error.ts";

/** Argument of an agent's process that is kept off the network. */
export const OFFLINE = "--offline";
/** The pipe's file descriptor in the agent's process. */
export const PIPE_FD = 3;
/**
 * Longest line an agent's process may send, in UTF-16 units: a delegated input of 1 MiB and what stands around it. It is
 * parsed in one go, while nobody else is heard; whatever is longer goes in pieces.
 */
export const MAX_LINE_LENGTH = 1_179_648;
/** The same in bytes, of which a unit has three at most. */
export const MAX_LINE_BYTES = MAX_LINE_LENGTH * 3;
/** Content goes in pieces of so many bytes. */
export const PIECE_BYTES = 262_144;
/** Most bytes that go to an agent's process in pieces, as one answer. */
export const MAX_SENT_BYTES = 67_108_864;
/** Longest answer to an agent's process, in UTF-16 units of JSON text. A longer one becomes an error that says so. */
export const MAX_REPLY_LENGTH = 67_108_864;

/** What of a job its agent's process is told: not whose it is, nor by which session it came. */
export type ToldJob = Omit<JobRecord, "principal" | "session">;

/** What the context in the agent's process is made with. */
export interface ToldSettings {
  /** In bytes; JSON knows no `Infinity`, which is absent here. */
  readonly maxResultBytes?: number;
  readonly prices?: ModelPrices;
}

/** From the runtime. Steps come first, then `start`, once. */
export type ToAgent =
  | { readonly type: "step"; readonly name: string; readonly value: string | null }
  | {
      readonly type: "start";
      /** URL of the module that exports the agent. */
      readonly module: string;
      readonly job: ToldJob;
      readonly attempt: number;
      /** As the client sent it: the module's own schema makes of it what the agent wants. */
      readonly input?: unknown;
      readonly settings: ToldSettings;
      readonly budget: BudgetView;
    }
  | { readonly type: "reply"; readonly id: number; readonly value?: unknown; readonly error?: PipeError }
  /** The counters as they are now. Comes before the answer to what moved them. */
  | { readonly type: "budget"; readonly view: BudgetView }
  /** A piece of what call `id` is answered, in base64. The answer itself follows the last one. */
  | { readonly type: "data"; readonly id: number; readonly data: string }
  /** The next piece of the content that goes with call `id` is wanted. */
  | { readonly type: "more"; readonly id: number }
  /** The job's signal aborts with this. */
  | { readonly type: "stop"; readonly error: PipeError };

/** From the agent's process. `returned` or `failed` is the last one. */
export type FromAgent =
  | { readonly type: "append"; readonly kind: string; readonly name: string; readonly body: unknown }
  | { readonly type: "report"; readonly metric: unknown }
  | { readonly type: "call"; readonly id: number; readonly method: string; readonly args: readonly unknown[] }
  /** A piece of content in base64, its end (`null`), or why there is none to come. */
  | { readonly type: "piece"; readonly id: number; readonly data?: string | null; readonly error?: PipeError }
  | {
      readonly type: "returned";
      readonly result?: unknown;
      /** True after a streamed result. */
      readonly streamed?: boolean;
      readonly summary?: string;
    }
  | { readonly type: "failed"; readonly error: PipeError };
