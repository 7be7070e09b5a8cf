/**
 * The state machine of one job. Pure: `decide(state, command, now)` returns the next state and what the caller puts on
 * the log and carries out; `undefined` means that the command changes nothing.
 *
 *   pending   accepted; its agent has not been started
 *   running   an attempt of the agent is under way; only now may the agent put entries on the log
 *   ending    the outcome is fixed and the agent is shut out; what must be wound down (keys, children) is under way
 *   success · error · cancelled · timed_out    terminal (§7.3): the terminal entry is the last on the log
 *
 *   pending → running → ending → terminal      `ending` is passed through within one commit when there is nothing
 *   pending → ending                            to wind down
 *   running → running                           a restart: the next attempt
 *
 * Terminal is final: every later command changes nothing.
 */
import type { ErrorBody } from "../../protocol/errors.ts";

export type TerminalStatus = "success" | "error" | "cancelled" | "timed_out";
export type JobStatus = "pending" | "running" | "ending" | TerminalStatus;

/** A result streamed before (§8.4): its id, and its size in bytes. */
export interface StreamedResult {
  readonly resultId: string;
  readonly size: number;
}

/** How a job ended, or will end once it is wound down. `result` is JSON text; absent for `undefined` and for streams. */
export type Outcome =
  | {
      readonly status: "success";
      readonly result?: string;
      readonly stream?: StreamedResult;
      readonly summary?: string;
    }
  | { readonly status: "error" | "cancelled" | "timed_out"; readonly error: ErrorBody };

export interface JobState {
  readonly status: JobStatus;
  /** 0 before the first attempt. */
  readonly attempt: number;
  /** Milliseconds since the epoch; when the first attempt started. */
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /** Fixed from `ending` on. A stored job that has ended has none: its terminal entry tells it. */
  readonly outcome: Outcome | null;
}

export type JobCommand =
  /** Run the agent: the first time, or again after the node that ran it was lost. */
  | { readonly type: "start" }
  /** Fix the outcome, whoever asks: the agent's return or throw, a cancel, a deadline, the lease's expiry. */
  | { readonly type: "end"; readonly outcome: Outcome }
  /** Everything is wound down. */
  | { readonly type: "settle" };

export interface Decision {
  readonly state: JobState;
  /** `restarted`: a status entry that says so. `terminal`: the terminal entry for `state.outcome`. */
  readonly entry?: "restarted" | "terminal";
  /** `run`: start the agent function. `shut-out`: abort it and let nothing it does be recorded. */
  readonly effect?: "run" | "shut-out";
}

export const INITIAL_STATE: JobState = { status: "pending", attempt: 0, startedAt: null, endedAt: null, outcome: null };

export function isTerminal(status: JobStatus): status is TerminalStatus {
  return status !== "pending" && status !== "running" && status !== "ending";
}

/** The next state under `command` at `now` (milliseconds since the epoch), or undefined when nothing changes. */
export function decide(state: JobState, command: JobCommand, now: number): Decision | undefined {
  switch (command.type) {
    case "start":
      return decideStart(state, now);
    case "end":
      if (state.status !== "pending" && state.status !== "running") return undefined;
      return { state: { ...state, status: "ending", outcome: command.outcome }, effect: "shut-out" };
    case "settle":
      if (state.status !== "ending" || state.outcome === null) return undefined;
      return { state: { ...state, status: state.outcome.status, endedAt: now }, entry: "terminal" };
  }
}

function decideStart(state: JobState, now: number): Decision | undefined {
  if (state.status === "pending") {
    return { state: { ...state, status: "running", attempt: 1, startedAt: now }, effect: "run" };
  }
  if (state.status === "running") {
    return { state: { ...state, attempt: state.attempt + 1 }, entry: "restarted", effect: "run" };
  }
  return undefined;
}
