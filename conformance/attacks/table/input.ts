/** Ways to bring the process down, or to a halt, by what a lease says or an agent does. */
import { attacksOn } from "../attack.ts";

export const INPUT_ATTACKS = [
  ...attacksOn("law-input-never-blocks", [
    [
      "slow-patterns",
      "client",
      "Submits a lease of 256 patterns made for backtracking, of full length.",
      "Matching takes steps in proportion to pattern and target.",
    ],
    [
      "hard-cover",
      "agent",
      "Delegates patterns whose inclusion is as hard to decide as can be.",
      "Refused after a bounded number of steps, never granted unseen.",
    ],
    ["long-target", "agent", "Asks for a target of a million characters.", "Refused by its length."],
    ["endless-loop", "isolated", "Loops without end.", "Nobody else waits, and a stop kills it."],
  ]),
  ...attacksOn("law-frames-never-crash", [
    [
      "lease-of-anything",
      "client",
      "Sends any JSON as `lease_request` and `lease_constraints`.",
      "Accepted or INVALID_REQUEST.",
    ],
    [
      "forged-pipe",
      "isolated",
      "Writes to its pipe what the runtime never asked for: garbage, long lines, forged metrics and delegations.",
      "Its job ends; the runtime goes on.",
    ],
    [
      "held-answers",
      "isolated",
      "Asks at once for many large files and results, and reads no answer.",
      "One is held for it at a time; the rest waits.",
    ],
    [
      "held-arguments",
      "isolated",
      "Makes calls that last as long as its job, with long arguments.",
      "Beyond a bound its job ends.",
    ],
    ["fork-bomb", "isolated", "Starts processes and workers.", "Refused."],
    [
      "memory-bomb",
      "isolated",
      "Takes memory without end, on the heap and beside it.",
      "It is killed, and its job ends.",
    ],
    [
      "strange-throws",
      "agent",
      "Throws null, proxies and objects whose properties throw, from tools and from its function.",
      "Its job ends with INTERNAL_ERROR.",
    ],
  ]),
];
