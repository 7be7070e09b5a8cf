/** Ways around a policy, and policies that do not behave. */
import { attacksOn } from "../attack.ts";

export const POLICY_ATTACKS = attacksOn("law-authority-within-policy", [
  [
    "policy-widens",
    "policy",
    "Gives back more than was asked for, as an answer or by changing what it was handed.",
    "PERMISSION_DENIED; what it gave is logged, and not told.",
  ],
  [
    "policy-throws",
    "policy",
    "Throws, or fails later.",
    "Refused with a retryable error: nothing is granted without a decision.",
  ],
  [
    "policy-hangs",
    "policy",
    "Never answers, for one request or for a thousand.",
    "Refused after a time; the rest at once.",
  ],
  ["policy-nonsense", "policy", "Answers what is no decision.", "Refused with a retryable error."],
  [
    "cap-by-delegating",
    "client",
    "Submits what it may, and has it delegate what it may not: more jobs, more money, a longer end, other patterns.",
    "Each delegation is judged as the client's own; refused, or cut.",
  ],
  [
    "cap-by-sessions",
    "client",
    "Submits from many sessions at once, while the policy is still thinking.",
    "They are counted together, in the turn that accepts.",
  ],
  [
    "left-open",
    "client",
    "Leaves out what the policy bounds: models where none need be named, a budget, an end.",
    "What is left open is set to the bound.",
  ],
  [
    "cut-and-crash",
    "crash",
    "Ends the process under a job whose lease was cut.",
    "It goes on under the lease that was left of it, and its delegations are judged as before.",
  ],
]);
