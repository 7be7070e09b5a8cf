/** The agents that cases need on the runtime under test, and what they are called there. */

/**
 * What each does:
 * - `echo`: its result is its input.
 * - `logs`: logs `input.count` lines (default 3), then succeeds. Any that logs at least one line will do.
 * - `slow`: logs a line every `input.every` ms (default 20) for `input.ms` ms (default: until it is stopped).
 * - `stream`: streams `input.bytes` bytes of ASCII text (default 1,000) as its result, in several chunks.
 * - `events`: emits at least one event of each kind that an agent can, `progress` among them.
 * - `fail`: fails with an error of no code of its own.
 * - `acts`: does each of `input.steps`, and goes on with the next when one is refused: `{ tool }` calls a tool of that name
 *   under the lease, `{ model }` asks to use that model, `{ cost, unit }` reports a metric `cost.conformance`, `{ wait }` does
 *   nothing for so many ms, whatever happens meanwhile.
 * - `delegates`: delegates `input.input` to the agent `input.agent` under `input.lease` and, where it is given,
 *   `input.expires_at`, and waits for its end; succeeds also when that is refused.
 */
export const AGENT_ROLES = ["echo", "logs", "slow", "stream", "events", "fail", "acts", "delegates"] as const;

export type AgentRole = (typeof AGENT_ROLES)[number];

/** The first two are those of the kit that comes with the Java SDK. */
export const DEFAULT_AGENTS: Readonly<Record<AgentRole, string>> = {
  echo: "tck-echo",
  logs: "tck-log-emitter",
  slow: "tck-slow",
  stream: "tck-stream",
  events: "tck-events",
  fail: "tck-fail",
  acts: "tck-acts",
  delegates: "tck-delegates",
};
