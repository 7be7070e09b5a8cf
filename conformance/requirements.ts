/** Every requirement on an ARCP runtime, client and agent: the manifest that tests cite and CONFORMANCE.md shows. */
import type { Requirement } from "./requirement.ts";
import { CREDENTIAL_REQUIREMENTS } from "./requirements/credentials.ts";
import { EVENT_REQUIREMENTS } from "./requirements/events.ts";
import { JOB_REQUIREMENTS } from "./requirements/jobs.ts";
import { LAWS } from "./requirements/laws.ts";
import { LEASE_REQUIREMENTS } from "./requirements/leases.ts";
import { READINGS } from "./requirements/readings.ts";
import { SECURITY_REQUIREMENTS } from "./requirements/security.ts";
import { SESSION_REQUIREMENTS } from "./requirements/sessions.ts";

export interface Chapter {
  readonly title: string;
  readonly requirements: readonly Requirement[];
}

/** In the order in which CONFORMANCE.md shows them. */
export const CHAPTERS: readonly Chapter[] = [
  { title: "Transports, envelopes and sessions (§4–§6)", requirements: SESSION_REQUIREMENTS },
  { title: "Jobs (§7)", requirements: JOB_REQUIREMENTS },
  { title: "Events and results (§8)", requirements: EVENT_REQUIREMENTS },
  { title: "Leases and delegation (§9.1–§9.7, §10)", requirements: LEASE_REQUIREMENTS },
  { title: "Provisioned credentials (§9.8)", requirements: CREDENTIAL_REQUIREMENTS },
  { title: "Traces, errors and security (§11–§14)", requirements: SECURITY_REQUIREMENTS },
  { title: "How gaps in the draft are read", requirements: READINGS },
  { title: "What must never happen", requirements: LAWS },
];

export const REQUIREMENTS: readonly Requirement[] = CHAPTERS.flatMap((chapter) => chapter.requirements);
