/** Every attack that is tried on the laws that touch authority. `docs/attacks.md` is written from it. */
import type { Attack } from "./attack.ts";
import { DELEGATION_ATTACKS } from "./table/delegation.ts";
import { GATEWAY_ATTACKS } from "./table/gateway.ts";
import { INPUT_ATTACKS } from "./table/input.ts";
import { MONEY_ATTACKS } from "./table/money.ts";
import { PERMISSION_ATTACKS } from "./table/permissions.ts";
import { POLICY_ATTACKS } from "./table/policy.ts";
import { STOP_ATTACKS } from "./table/stop.ts";
import { STRANGER_ATTACKS } from "./table/strangers.ts";
import { WITHIN_LEASE_ATTACKS } from "./table/within-lease.ts";

export const ATTACKS: readonly Attack[] = [
  ...WITHIN_LEASE_ATTACKS,
  ...DELEGATION_ATTACKS,
  ...POLICY_ATTACKS,
  ...MONEY_ATTACKS,
  ...STOP_ATTACKS,
  ...STRANGER_ATTACKS,
  ...INPUT_ATTACKS,
  ...PERMISSION_ATTACKS,
  ...GATEWAY_ATTACKS,
];
