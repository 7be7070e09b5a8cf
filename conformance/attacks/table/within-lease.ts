/** Ways out of a lease: to paths, hosts, tools and models that it does not name, or past its end. */
import { attacksOn } from "../attack.ts";

export const WITHIN_LEASE_ATTACKS = attacksOn("law-within-lease", [
  [
    "no-lease",
    "agent",
    "Uses every guarded tool in a job without a lease.",
    "Each is PERMISSION_DENIED, and not started.",
  ],
  ["mutated-lease", "agent", "Writes other patterns into `ctx.lease`.", "The guard decides by what was granted."],
  ["fs-dot-dot", "agent", "Leaves a granted directory by `..`.", "The path is refused before it is looked at."],
  [
    "fs-symlink",
    "agent",
    "Reads and writes through a symlink that leads out of a granted directory.",
    "What it leads to is checked, and refused.",
  ],
  [
    "fs-swap",
    "agent",
    "Swaps a granted directory for a symlink between check and use.",
    "What was opened is verified: nothing outside is read or written.",
  ],
  ["fs-pipes", "agent", "Opens pipes, sockets and devices as files.", "Refused, and nobody waits for them."],
  [
    "raw-fs",
    "isolated",
    "Imports `node:fs` and `node:sqlite`, and opens what its lease does not name.",
    "Refused by Node, the runtime's own files as any others.",
  ],
  [
    "moved-directory",
    "isolated",
    "Changes its directory between the check of a relative path and its opening.",
    "It cannot change it.",
  ],
  ["unix-socket", "isolated", "Makes a Unix socket's file where it likes, or connects to one.", "Refused."],
  [
    "raw-network",
    "isolated",
    "Uses the network by itself, without a lease for any of it: sockets, ports, datagrams, names.",
    "Refused, by the handles below them too.",
  ],
  [
    "unstarted-process",
    "isolated",
    "Signals whatever process by the handle of one that was never started.",
    "It gets no such handle.",
  ],
  ["raw-signals", "isolated", "Sends signals to the runtime, opens its debugger, becomes another user.", "Refused."],
  [
    "fetch-redirect",
    "upstream",
    "Redirects a granted request to a host that is not granted.",
    "Each hop is checked: the second is never asked.",
  ],
  [
    "fetch-spelling",
    "agent",
    "Spells a URL otherwise: userinfo, default port, dot segments, escapes, upper case.",
    "All spellings of a place are one target.",
  ],
  ["fetch-scheme", "agent", "Fetches `data:`, `file:` and `blob:` URLs.", "Refused: only http and https are fetched."],
  [
    "model-not-named",
    "agent",
    "Calls a model that the lease does not name, or none when it names none.",
    "PERMISSION_DENIED before the model is asked.",
  ],
  [
    "tool-reentrancy",
    "agent",
    "Calls a tool that is not granted from within one that is.",
    "The inner call is refused by itself.",
  ],
  [
    "swapped-name",
    "agent",
    "Hands over a tool's name that is another one each time it is read.",
    "Only a string is a name, and what is checked is what is logged.",
  ],
  [
    "expiry-moment",
    "agent",
    "Starts an operation in the very millisecond of expiry, and while its record is being written.",
    "LEASE_EXPIRED; it is not started.",
  ],
  [
    "expiry-caught",
    "agent",
    "Catches LEASE_EXPIRED and returns a result.",
    "The job ends with LEASE_EXPIRED all the same.",
  ],
  ["dropped-bound", "client", "Misspells a constraint, so that it would be ignored.", "INVALID_REQUEST that names it."],
  [
    "proto-lease",
    "client",
    "Sends `lease_request` and `lease_constraints` with `__proto__` and `constructor`.",
    "INVALID_REQUEST; no object gains a property.",
  ],
  [
    "same-key-wider",
    "client",
    "Resubmits a key with a wider lease.",
    "Refused as a conflict; the job keeps its lease.",
  ],
  [
    "lease-after-crash",
    "crash",
    "Ends the process and lets the next attempt try what was not granted.",
    "The next attempt has the same lease.",
  ],
]);
