/** `--set <name=value>`: bounds of a runtime by the names they have in `createRuntime`, which also checks their values. */
import type { JobLimits } from "../../kernel/job/limits.ts";
import type { RetentionLimits } from "../../kernel/job/retention.ts";
import type { ContentLimits, RuntimeOptions } from "../../server/runtime-options.ts";
import type { SessionLimits } from "../../sessions/limits.ts";
import { usageError } from "../cli-error.ts";

type Limits = SessionLimits & JobLimits & ContentLimits;

/** A record, so that a limit which is missing here does not compile. */
const LIMITS: Readonly<Record<keyof Limits, true>> = {
  maxRunningJobs: true,
  maxRunningJobsPerPrincipal: true,
  maxPendingJobs: true,
  maxPendingJobsPerPrincipal: true,
  maxLogBytes: true,
  maxDelegationDepth: true,
  maxLiveChildren: true,
  maxTreeJobs: true,
  maxAgentWaitSec: true,
  maxArtifactBytes: true,
  maxJobArtifactBytes: true,
  maxResultBytes: true,
  maxSessionsPerPrincipal: true,
  maxConnectionsPerPrincipal: true,
  maxFollowsPerSession: true,
  maxMessagesPerSecond: true,
  maxMessagesPerSecondPerPrincipal: true,
  maxParkedBytes: true,
  maxParkedBytesPerPrincipal: true,
  maxUnacknowledgedEvents: true,
  maxUnreadSec: true,
};
const RETENTION: Readonly<Record<keyof RetentionLimits, true>> = { maxAgeSec: true, maxBytes: true };
const PLAIN = { resumeWindowSec: true, heartbeatIntervalSec: true } as const;

/** Every name that can be set. */
export const SETTINGS: readonly string[] = [
  ...Object.keys(PLAIN),
  ...Object.keys(LIMITS).map((name) => `limits.${name}`),
  ...Object.keys(RETENTION).map((name) => `retention.${name}`),
];

const NUMBER = /^\d{1,15}(\.\d{1,9})?$/;

function numberOf(setting: string, text: string): number {
  if (text === "unlimited") return Number.POSITIVE_INFINITY;
  if (!NUMBER.test(text)) throw usageError(`--set ${setting} must be a number or unlimited, not "${text}"`);
  return Number(text);
}

/** @throws CliError USAGE for a name that is none, and for what is no number. */
export function readSettings(given: readonly string[] = []): Partial<RuntimeOptions> {
  const plain: Record<string, number> = {};
  const groups: Record<string, Record<string, number>> = { limits: {}, retention: {} };
  for (const text of given) {
    const [, setting = "", value = ""] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
    if (!SETTINGS.includes(setting)) {
      throw usageError(`--set takes <name>=<number>, not "${text}"`, `the names are ${SETTINGS.join(", ")}`);
    }
    const [group = "", name = group] = setting.split(".");
    (groups[group] ?? plain)[name] = numberOf(setting, value);
  }
  return { ...plain, ...groups };
}
