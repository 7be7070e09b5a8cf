/** The agents that cases need on the runtime under test, and what they are called there. */

/**
 * What each does:
 * - `echo`: its result is its input.
 * - `logs`: logs `input.count` lines (default 3), then succeeds. Any that logs at least one line will do.
 * - `slow`: logs a line every `input.every` ms (default 20) for `input.ms` ms (default: until it is stopped).
 * - `stream`: streams `input.bytes` bytes of ASCII text (default 1,000) as its result, in several chunks.
 * - `events`: emits at least one event of each kind that an agent can, `progress` among them.
 * - `fail`: fails with an error of no code of its own.
 */
export const AGENT_ROLES = ["echo", "logs", "slow", "stream", "events", "fail"] as const;

export type AgentRole = (typeof AGENT_ROLES)[number];

/** The first two are those of the kit that comes with the Java SDK. */
export const DEFAULT_AGENTS: Readonly<Record<AgentRole, string>> = {
  echo: "tck-echo",
  logs: "tck-log-emitter",
  slow: "tck-slow",
  stream: "tck-stream",
  events: "tck-events",
  fail: "tck-fail",
};
