/** Every case of the suite, in the order in which it runs and reports. */
import type { ConformanceCase } from "./case.ts";
import { AUTHORITY_CASES } from "./cases/authority.ts";
import { CONTROL_CASES } from "./cases/control.ts";
import { DELEGATION_CASES } from "./cases/delegation.ts";
import { ERROR_CASES } from "./cases/errors.ts";
import { EVENT_CASES } from "./cases/events.ts";
import { HANDSHAKE_CASES } from "./cases/handshake.ts";
import { LISTING_CASES } from "./cases/listing.ts";
import { LIVENESS_CASES } from "./cases/liveness.ts";
import { PRINCIPAL_CASES } from "./cases/principals.ts";
import { RESULT_CASES } from "./cases/results.ts";
import { RESUME_CASES } from "./cases/resume.ts";
import { SUBMISSION_CASES } from "./cases/submission.ts";
import { SUBSCRIPTION_CASES } from "./cases/subscription.ts";
import { WIRE_CASES } from "./cases/wire.ts";

export const CASES: readonly ConformanceCase[] = [
  ...WIRE_CASES,
  ...HANDSHAKE_CASES,
  ...RESUME_CASES,
  ...LIVENESS_CASES,
  ...LISTING_CASES,
  ...SUBMISSION_CASES,
  ...CONTROL_CASES,
  ...SUBSCRIPTION_CASES,
  ...EVENT_CASES,
  ...RESULT_CASES,
  ...AUTHORITY_CASES,
  ...DELEGATION_CASES,
  ...PRINCIPAL_CASES,
  ...ERROR_CASES,
];
