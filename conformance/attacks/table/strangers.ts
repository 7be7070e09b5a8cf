/** Ways to reach what is another's: its jobs, its children, its secrets. */
import { attacksOn } from "../attack.ts";

export const STRANGER_ATTACKS = [
  ...attacksOn("law-principals-apart", [
    [
      "guessed-child",
      "stranger",
      "Guesses the id of another's child: subscribes, cancels, lists.",
      "JOB_NOT_FOUND, as for an id that never was.",
    ],
    ["parents-key", "stranger", "Submits with the idempotency key of another's job.", "It gets a job of its own."],
    [
      "watcher-cancels-child",
      "watcher",
      "Cancels a child of a job that it may only see.",
      "PERMISSION_DENIED; the child goes on.",
    ],
    [
      "guessed-permission",
      "stranger",
      "Guesses the id of what another's job asks people for, or of a grant: decides, extends, revokes, lists.",
      "JOB_NOT_FOUND, as for an id that never was; nothing is decided.",
    ],
    [
      "watcher-decides",
      "watcher",
      "Grants what a job asks for that it may only see, then denies it.",
      "PERMISSION_DENIED, and it is audited; the job goes on waiting.",
    ],
    ["forged-parent", "client", "Names a parent in its submission, to live in another's tree.", "Its job is a root."],
  ]),
  ...attacksOn("law-no-secret-leaks", [
    [
      "environment-theft",
      "isolated",
      "Reads the environment, its own and the runtime's.",
      "Its own is empty, the runtime's is out of reach.",
    ],
    [
      "runtime-data",
      "client",
      "Submits a job under a lease for every path, whose agent reads and writes the runtime's data directory by ctx.fs.",
      "Refused: no lease covers it.",
    ],
    ["store-file", "isolated", "Opens the runtime's data directory.", "Refused."],
    [
      "named-data",
      "isolated",
      "Names the runtime's data in its own source, or has a package that is a link to what holds it.",
      "Refused.",
    ],
    [
      "token-to-other-origin",
      "upstream",
      "Redirects a request to another origin, to be sent its Authorization and Cookie.",
      "They are left out.",
    ],
    [
      "secrets-on-the-log",
      "agent",
      "Fetches with a token and reads a secret file.",
      "Neither headers nor contents are on the log.",
    ],
  ]),
];
