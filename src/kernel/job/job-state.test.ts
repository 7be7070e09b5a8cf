import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Decision,
  decide,
  INITIAL_STATE,
  isTerminal,
  type JobCommand,
  type JobState,
  type Outcome,
} from "./job-state.ts";

const NOW = 1_000;
const SUCCESS: Outcome = { status: "success", result: "1" };
const FAILURE: Outcome = { status: "error", error: { code: "INTERNAL_ERROR", message: "it broke", retryable: true } };
const CANCELLED: Outcome = { status: "cancelled", error: { code: "CANCELLED", message: "stopped", retryable: false } };
const TIMED_OUT: Outcome = { status: "timed_out", error: { code: "TIMEOUT", message: "late", retryable: true } };
const OUTCOMES = [SUCCESS, FAILURE, CANCELLED, TIMED_OUT];

const RUNNING: JobState = { ...INITIAL_STATE, status: "running", attempt: 1, startedAt: 500 };
const ending = (outcome: Outcome): JobState => ({ ...RUNNING, status: "ending", outcome });
const ended = (outcome: Outcome): JobState => ({ ...ending(outcome), status: outcome.status, endedAt: 900 });

const START: JobCommand = { type: "start" };
const SETTLE: JobCommand = { type: "settle" };
const end = (outcome: Outcome): JobCommand => ({ type: "end", outcome });
const COMMANDS = [START, SETTLE, ...OUTCOMES.map(end)];

const NOTHING = undefined;
const TABLE: readonly [JobState, JobCommand, Decision | undefined][] = [
  [INITIAL_STATE, START, { state: { ...INITIAL_STATE, status: "running", attempt: 1, startedAt: NOW }, effect: "run" }],
  [INITIAL_STATE, SETTLE, NOTHING],
  [RUNNING, START, { state: { ...RUNNING, attempt: 2 }, entry: "restarted", effect: "run" }],
  [RUNNING, SETTLE, NOTHING],
  ...OUTCOMES.flatMap((outcome): [JobState, JobCommand, Decision | undefined][] => [
    [INITIAL_STATE, end(outcome), { state: { ...INITIAL_STATE, status: "ending", outcome }, effect: "shut-out" }],
    [RUNNING, end(outcome), { state: ending(outcome), effect: "shut-out" }],
    [ending(outcome), START, NOTHING],
    [ending(outcome), SETTLE, { state: { ...ended(outcome), endedAt: NOW }, entry: "terminal" }],
    ...OUTCOMES.map((later): [JobState, JobCommand, undefined] => [ending(outcome), end(later), NOTHING]),
  ]),
];

describe("a job's state machine", () => {
  it.each(TABLE)("%o under %o", (state, command, decision) => {
    expect(decide(state, command, NOW)).toEqual(decision);
  });

  it.each(OUTCOMES)("[arcp-7.3-terminal-states] ends as $status, and nothing changes it any more", (outcome) => {
    expect(isTerminal(outcome.status)).toBe(true);
    for (const command of COMMANDS) expect(decide(ended(outcome), command, NOW)).toBeUndefined();
  });

  it("cannot settle before its outcome is fixed", () => {
    expect(decide({ ...RUNNING, status: "ending" }, SETTLE, NOW)).toBeUndefined();
  });

  it("counts none of its passing states as terminal", () => {
    expect(["pending", "running", "ending"].filter((status) => isTerminal(status as JobState["status"]))).toEqual([]);
  });

  it("[law-one-terminal] has at most one terminal, with the outcome of the first end, whatever is asked in whatever order", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...COMMANDS), { maxLength: 30 }), (commands) => {
        let state = INITIAL_STATE;
        let terminals = 0;
        let first: Outcome | undefined;
        for (const [step, command] of commands.entries()) {
          const before = Object.freeze(state);
          const decision = decide(before, command, step);
          if (command.type === "end") first ??= command.outcome;
          if (decision === undefined) continue;
          state = decision.state;
          if (decision.entry === "terminal") terminals++;
          expect(state.attempt).toBeGreaterThanOrEqual(before.attempt);
          expect(state.startedAt).toBe(before.startedAt ?? state.startedAt);
          expect(state.outcome).toEqual(first ?? null);
          expect(isTerminal(state.status)).toBe(state.endedAt !== null);
        }
        expect(terminals).toBe(isTerminal(state.status) ? 1 : 0);
        if (isTerminal(state.status)) expect(state.status).toBe(first?.status);
      }),
    );
  });
});
