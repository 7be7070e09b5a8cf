/** Ways to more authority at run time than whoever decided could give, or did give. */
import { attacksOn } from "../attack.ts";

export const PERMISSION_ATTACKS = attacksOn("law-authority-within-decider", [
  [
    "grant-watcher",
    "watcher",
    "Grants or denies what a job asks for, as someone who may see it, or as an operator of another tenant.",
    "PERMISSION_DENIED, audited; the request waits on.",
  ],
  [
    "grant-beyond-decider",
    "client",
    "Grants, as the job's owner, what the policy lets only operators grant, and extends it.",
    "PERMISSION_DENIED with the rule: the policy is asked with whoever decides.",
  ],
  [
    "grant-own",
    "isolated",
    "Decides its own request by a call through the pipe, or by an event that says it was granted.",
    "There is no such call, and such events are the runtime's alone: the process is ended.",
  ],
  [
    "grant-other-args",
    "agent",
    "Uses a grant for other arguments than those that were shown, or shows others than it uses.",
    "The grant is bound to a digest of what the log tells; anything else is PERMISSION_DENIED.",
  ],
  [
    "grant-child",
    "agent",
    "Hands a grant on to a child, or has the child ask for what the parent's lease does not cover.",
    "Grants are not delegable, and nobody can grant a child what its parent's lease has not.",
  ],
  [
    "grant-after-expiry",
    "agent",
    "Starts an operation in the millisecond in which its grant ends, and has the grant extended afterwards.",
    "PERMISSION_DENIED; what is over is not extended.",
  ],
  [
    "grant-outlast",
    "client",
    "Has a grant last longer than the job's lease, by its first length or by extending it.",
    "It ends with the lease.",
  ],
  [
    "grant-flood",
    "client",
    "Extends again and again a grant that lasts no longer for it, so that the job's log fills though it says nothing.",
    "What changes nothing is answered, and leaves no event.",
  ],
  [
    "grant-revoked",
    "agent",
    "Goes on by a grant that is being taken back, before that is on the disk.",
    "The guard refuses from the turn in which it was revoked.",
  ],
  [
    "grant-after-restart",
    "crash",
    "Lets the next attempt use a grant whose time passed meanwhile, or with other arguments.",
    "What ended is over, and what was granted is found again for the same arguments alone.",
  ],
]);
