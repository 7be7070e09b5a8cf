/** Ways for an agent to spend by a key of the gateway what the key does not have, or to outlive it. */
import { attacksOn } from "../attack.ts";

export const GATEWAY_ATTACKS = [
  ...attacksOn("law-keys-die-with-jobs", [
    [
      "gateway-after-delete",
      "agent",
      "Uses a key of the gateway whose alias was deleted, also after a restart.",
      "401; the upstream is not asked.",
    ],
    ["gateway-after-expiry", "agent", "Uses a key from the moment on at which it expires.", "401."],
    [
      "gateway-late-mint",
      "crash",
      "Has the request that mints a key arrive behind the one that deletes its alias.",
      "409: a deleted alias is never given out.",
    ],
    [
      "gateway-lost-value",
      "crash",
      "Loses the answer with a key, so that it is minted again by its alias.",
      "One key under a new value; the old one is dead.",
    ],
    [
      "gateway-stream-at-delete",
      "agent",
      "Keeps a stream open while its key is deleted.",
      "It is cut off, here and upstream, and paid as a whole.",
    ],
  ]),
  ...attacksOn("law-within-lease", [
    [
      "gateway-model-spelling",
      "agent",
      "Spells a model that its key does not name, or that is dear, in another case, with a suffix, spaces or a path.",
      "403 and nothing asked; where a pattern fits, the dearer price.",
    ],
    [
      "gateway-model-elsewhere",
      "agent",
      "Names another model in fallbacks, lists, stored prompts, a second `model`.",
      "Unknown fields are refused, and what goes upstream is what was checked.",
    ],
    [
      "gateway-other-paths",
      "agent",
      "Asks for paths that the gateway does not account for, or spells those it does otherwise.",
      "404.",
    ],
  ]),
  ...attacksOn("law-no-start-at-zero", [
    ["gateway-last-cent", "agent", "Races many calls for the last of a key's cap.", "One is made; the others get 429."],
    [
      "gateway-many-answers",
      "agent",
      "Asks for many answers, or long ones, at once, by any of the fields for it.",
      "All of them are set aside, or the call is refused.",
    ],
    [
      "gateway-uncounted",
      "agent",
      "Asks for what no token counts: searches, sound, files, stored content, priority, pictures.",
      "Refused; pictures are set aside by a number.",
    ],
    [
      "gateway-aborted",
      "agent",
      "Gives up each call before its cost is told.",
      "Each counts as all that was set aside for it.",
    ],
  ]),
  ...attacksOn("law-money-exact", [
    [
      "gateway-lying-usage",
      "upstream",
      "Tells usage that is negative, missing, huge, in words, or told several times.",
      "What cannot be true counts as all that was set aside; of several the dearest.",
    ],
    [
      "gateway-crash",
      "crash",
      "Kills the gateway with calls under way.",
      "Every answer that arrived is paid; what was under way counts as a whole.",
    ],
  ]),
  ...attacksOn("law-input-never-blocks", [
    [
      "gateway-large-bodies",
      "client",
      "Sends the gateway bodies without end, nested without end, or of no JSON.",
      "413 or 400, and others are served.",
    ],
    [
      "gateway-endless-upstream",
      "upstream",
      "Never answers, or never ends its answer.",
      "Given up after a time, and paid as a whole.",
    ],
  ]),
  ...attacksOn("law-no-secret-leaks", [
    [
      "gateway-strangers",
      "stranger",
      "Opens the admin API with a key, and models with the admin token or the upstream's key.",
      "401.",
    ],
    [
      "gateway-secrets",
      "upstream",
      "Fails calls and quotes the gateway's own key in its errors.",
      "No key, token or prompt is in the gateway's log, files or output.",
    ],
  ]),
];
