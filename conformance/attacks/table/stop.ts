/** Ways to live on: past a stop, past the end of one's tree, past one's own terminal. */
import { attacksOn } from "../attack.ts";

export const STOP_ATTACKS = [
  ...attacksOn("law-tree-stops", [
    [
      "deaf",
      "agent",
      "Never looks at its signal, and goes on when it is stopped.",
      "What it calls rejects, and nothing of it is recorded.",
    ],
    [
      "saved-ctx",
      "agent",
      "Keeps functions of `ctx` and calls them when the job is over.",
      "Each rejects; the log, the counters and the tree stay as they are.",
    ],
    [
      "delegate-while-stopping",
      "agent",
      "Delegates in the turn of the cancel, from its signal's listener.",
      "Refused: no child is begun.",
    ],
    [
      "tool-waiting-at-stop",
      "agent",
      "Has a tool call wait for its record when the stop comes.",
      "The tool is not started.",
    ],
    ["parent-returns", "agent", "Returns while its children run.", "The children end in the same commit."],
    [
      "late-grandchild",
      "agent",
      "Has a child delegate while the root ends.",
      "The whole tree ends; no grandchild is left.",
    ],
    [
      "hanging-past-expiry",
      "agent",
      "Hangs when its lease expires.",
      "Ended within two seconds, and its tree with it.",
    ],
    [
      "crash-at-stop",
      "crash",
      "Comes between a cancel and its commit, and right after the commit.",
      "After a restart the tree is stopped as a whole or not at all.",
    ],
  ]),
  ...attacksOn("law-one-terminal", [
    [
      "emit-after-end",
      "agent",
      "Emits, charges and makes artifacts after it returned.",
      "Refused; its terminal stays the last entry.",
    ],
    [
      "cancel-meets-return",
      "client",
      "Cancels in the turn in which the agent returns.",
      "One of the two ends the job.",
    ],
    [
      "crash-at-terminal",
      "crash",
      "Comes after a terminal was written and before anybody heard of it.",
      "The job is not run again; its terminal stays the one.",
    ],
    [
      "throw-after-return",
      "agent",
      "Leaves a timer that throws, and a promise that rejects, after it returned.",
      "The job has ended; no other job hears of it.",
    ],
  ]),
];
