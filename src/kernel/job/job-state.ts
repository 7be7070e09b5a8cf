/**
 * The state machine of one job. Pure: `decide(state, command, now)` returns the next state, the entries it puts on the
 * log and the effects the caller carries out once they are committed.
 *
 *   pending   accepted; its agent has not been started
 *   running   an attempt of the agent is under way; only now may the agent put entries on the log
 *   ending    the outcome is fixed and the agent is shut out; what must be wound down (keys, children) is under way
 *   success · error · cancelled · timed_out    terminal (§7.3): the terminal entry is the last on the log
 *
 *   pending → running → ending → terminal       `ending` is passed through in the same commit when nothing
 *   pending → ending                             has to be wound down
 *   running → running                            a restart: the next attempt
 *
 * Terminal is final: every later command is ignored and changes nothing.
 */
import type { ErrorBody } from "../../protocol/errors.ts";

export type TerminalStatus = "success" | "error" | "cancelled" | "timed_out";
export type JobStatus = "pending" | "running" | "ending" | TerminalStatus;

/** How a job ended, or will end once it is wound down. `result` is JSON text; absent for `undefined` and for streams. */
export type Outcome =
  | {
      readonly status: "success";
      readonly result?: string;
      /** A streamed result (§8.4): its id and its size in bytes. */
      readonly stream?: { readonly resultId: string; readonly size: number };
      readonly summary?: string;
    }
  | { readonly status: "error" | "cancelled" | "timed_out"; readonly error: ErrorBody };

export interface JobState {
  readonly status: JobStatus;
  readonly attempt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly outcome: Outcome | null;
}
