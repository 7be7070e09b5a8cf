/** Ways to spend what is not there, and to have spending miscounted. */
import { attacksOn } from "../attack.ts";

export const MONEY_ATTACKS = [
  ...attacksOn("law-no-start-at-zero", [
    [
      "siblings",
      "agent",
      "Promises the same money to several children at once.",
      "Each budget is held: what is not available is refused.",
    ],
    [
      "raw-remaining",
      "agent",
      "Emits a metric named `cost.budget.remaining` to lift its counter.",
      "Refused; the counter stays.",
    ],
    [
      "negative-cost",
      "agent",
      "Charges negative amounts, NaN, Infinity and 1e400.",
      "Each is INVALID_REQUEST, and no counter moves.",
    ],
    ["raw-metric", "agent", "Reports costs by plain metrics, and not by `ctx.charge`.", "They count the same."],
    [
      "vendor-metric",
      "agent",
      "Emits a metric, a delegation or a result by `ctx.emit`.",
      "Only vendor kinds can be emitted.",
    ],
    [
      "omitted-currency",
      "agent",
      "Leaves a currency out of a child's lease, so that it would be unlimited there.",
      "The child's charges move the parent's counter.",
    ],
    [
      "child-overspends",
      "agent",
      "Has a child spend more than its budget, and goes on itself.",
      "The overspend is the parent's: its next operation is refused.",
    ],
    [
      "spent-while-waiting",
      "agent",
      "Spends the rest while a tool call waits for its record.",
      "The guard is asked again: the tool is not started.",
    ],
    [
      "reserved-twice",
      "agent",
      "Reserves twice with one key, and settles one reservation twice.",
      "It is one hold, settled once.",
    ],
    [
      "released-then-spent",
      "agent",
      "Commits more than it reserved.",
      "All of it is counted; what follows is refused.",
    ],
    [
      "same-key-fresh-counter",
      "client",
      "Resubmits with its key, for a counter that is full again.",
      "It gets the same job with the counters as they are.",
    ],
    [
      "crash-after-charge",
      "crash",
      "Comes right after a charge was committed, and the job goes on.",
      "The next attempt begins with what is left.",
    ],
    [
      "crash-between-hold-and-child",
      "crash",
      "Comes when a child's money is being held.",
      "Hold and child are there together, or neither is.",
    ],
  ]),
  ...attacksOn("law-money-exact", [
    [
      "float-dust",
      "agent",
      "Charges 0.1 ten times against 1, so that floats would leave dust.",
      "Exactly nothing is left.",
    ],
    ["tiny-and-huge", "agent", "Charges amounts that no float can tell apart.", "Each digit counts."],
    [
      "below-zero",
      "agent",
      "Spends far below zero, in itself and in a child.",
      "It is counted below zero, here and above.",
    ],
    [
      "crash-anywhere",
      "crash",
      "Comes at any moment of a tree that charges, reserves and delegates.",
      "Counters are what the logs add up to.",
    ],
  ]),
];
