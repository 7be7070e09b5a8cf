/** Ways for a job to hand on more than it has. */
import { attacksOn } from "../attack.ts";

export const DELEGATION_ATTACKS = attacksOn("law-authority-within-parent", [
  [
    "wider-pattern",
    "agent",
    "Delegates patterns that cover more than its own.",
    "LEASE_SUBSET_VIOLATION on the log; no child.",
  ],
  [
    "union-of-patterns",
    "agent",
    "Delegates a pattern that lies in none of its own, but for one path in all of them together.",
    "LEASE_SUBSET_VIOLATION: inclusion is decided exactly.",
  ],
  [
    "missing-namespace",
    "agent",
    "Delegates a namespace that it does not have, or any when it has no lease.",
    "LEASE_SUBSET_VIOLATION.",
  ],
  [
    "later-expiry",
    "agent",
    "Delegates with a later expiry than its own, or with none.",
    "The later one is refused; with none it inherits its parent's.",
  ],
  [
    "more-than-available",
    "agent",
    "Delegates a budget beyond what is available.",
    "LEASE_SUBSET_VIOLATION; nothing is held.",
  ],
  [
    "agent-not-granted",
    "agent",
    "Delegates to an agent or a version that its lease does not name.",
    "PERMISSION_DENIED; no child.",
  ],
  [
    "raw-delegate",
    "agent",
    "Emits a `delegate` event by hand.",
    "Refused: the event comes with a child, or not at all.",
  ],
  [
    "omitted-model-use",
    "agent",
    "Leaves `model.use` out of a child's lease, so that any model would do.",
    "The child has its parent's.",
  ],
  [
    "deep-tree",
    "agent",
    "Delegates to itself without end, in depth and in breadth.",
    "Refused at the limits, by name.",
  ],
  [
    "wider-after-crash",
    "crash",
    "Lets a later attempt delegate by the same key with a wider lease.",
    "It gets the child it had, with the lease it had, or a refusal.",
  ],
]);
