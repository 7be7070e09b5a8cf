/** All measurements, in the order they run and are shown. */
import type { Measurement } from "./bench.ts";
import { coldStart } from "./measurements/cold-start.ts";
import { eventLatency } from "./measurements/event-latency.ts";
import { gatewayCalls } from "./measurements/gateway-calls.ts";
import { guardedOperations } from "./measurements/guarded-operations.ts";
import { idleSessions } from "./measurements/idle-sessions.ts";
import { jobGrowth } from "./measurements/job-growth.ts";
import { memoryGrowth } from "./measurements/memory-growth.ts";
import { oneStream } from "./measurements/one-stream.ts";
import { pingUnderLoad } from "./measurements/ping-under-load.ts";
import { resume } from "./measurements/resume.ts";
import { submitResult } from "./measurements/submit-result.ts";
import { subscribers } from "./measurements/subscribers.ts";

export const MEASUREMENTS: readonly Measurement[] = [
  oneStream,
  subscribers,
  submitResult,
  eventLatency,
  pingUnderLoad,
  idleSessions,
  memoryGrowth,
  jobGrowth,
  coldStart,
  resume,
  guardedOperations,
  gatewayCalls,
];
