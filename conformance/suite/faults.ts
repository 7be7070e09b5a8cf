/**
 * Runtimes that are wrong in one way each. Beside each stand the cases that must name it; every other case must come out as
 * it does for the honest runtime.
 */
import type { Fault } from "./fault.ts";
import { AUTHORITY_FAULTS } from "./faults/authority.ts";
import { EVENT_FAULTS } from "./faults/events.ts";
import { JOB_FAULTS } from "./faults/jobs.ts";
import { SESSION_FAULTS } from "./faults/sessions.ts";
import { STREAM_FAULTS } from "./faults/streams.ts";

export const FAULTS: readonly Fault[] = [
  ...STREAM_FAULTS,
  ...SESSION_FAULTS,
  ...JOB_FAULTS,
  ...EVENT_FAULTS,
  ...AUTHORITY_FAULTS,
];
