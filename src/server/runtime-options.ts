/** What a runtime is made from: one configuration, checked whole before anything is opened. */
import type { AgentDefinition } from "../agents/define-agent.ts";
import { createPriceTable, type ModelPrices } from "../agents/prices.ts";
import { type RequestRate, requestRateOf } from "../api/request-rate.ts";
import type { PolicyRules } from "../identity/policy-rules.ts";
import { createRulesPolicy } from "../identity/rules-policy.ts";
import type { ObservePolicy } from "../identity/visibility.ts";
import type { Policy } from "../kernel/authority/policy.ts";
import { completeJobLimits, type JobLimits } from "../kernel/job/limits.ts";
import { completeRetention, type RetentionLimits } from "../kernel/job/retention.ts";
import type { Artifacts, Store } from "../kernel/ports.ts";
import type { Log } from "../platform/log.ts";
import type { World } from "../platform/world.ts";
import { requireSeconds, type SessionLimits, sessionLimits } from "../sessions/limits.ts";
import type { CallerOptions } from "./callers.ts";
import { DEFAULT_MAX_CONNECTIONS } from "./connection-limit.ts";

/** How much content jobs may make. Beyond any of these the agent's call fails with INTERNAL_ERROR, not retryable. */
export interface ContentLimits {
  /** Largest artifact, in bytes. Default: 256 MiB. */
  readonly maxArtifactBytes: number;
  /** All artifacts of one job together, over all its attempts, in bytes. Default: 1 GiB. */
  readonly maxJobArtifactBytes: number;
  /** Largest streamed result, in bytes of data. Default: 256 MiB. */
  readonly maxResultBytes: number;
}

export interface RuntimeOptions extends CallerOptions {
  readonly agents: Iterable<AgentDefinition>;
  /** The data directory: database, tokens. Made when it does not exist. Default: `.leasehold`. */
  readonly data?: string;
  /** Keeps everything elsewhere than in a database under `data`. Closed with the runtime. */
  readonly store?: Store;
  /** Where the contents of artifacts are kept. Default: files in `<data>/artifacts`; with a `store` of your own, in memory. */
  readonly artifacts?: Artifacts;
  /**
   * What may be granted, and to whom: rules, or a function that is asked before each submission, delegation and permission
   * (or both functions of a `Policy`). It can take from what was asked for and add nothing; what it throws on, or leaves
   * unanswered for 5 seconds, is refused. Default: whatever is asked for is granted.
   */
  readonly policy?: PolicyRules | Policy | Policy["decide"];
  /**
   * Who may see whose jobs, beside everyone their own and operators their tenant's: observer → principals, such as
   * `{ "default/dashboard": ["default/*"] }`, or a function that gives the list for one observer. It lets nobody stop
   * anything. Default: nobody sees more.
   */
  readonly observe?: ObservePolicy;
  /** How long a session without a connection can be resumed, in seconds. Default: 600. */
  readonly resumeWindowSec?: number;
  /**
   * What sessions, jobs and their principals may hold and ask for; see `SessionLimits`, `JobLimits` and `ContentLimits` for
   * names, defaults and consequences.
   */
  readonly limits?: Partial<SessionLimits & JobLimits & ContentLimits>;
  /**
   * Whether a lease has to name `model.use` for its job to use a model (§9.7). `false`: a job whose lease does not name it,
   * or that has no lease, may use every model. Default: true.
   */
  readonly requireModelUse?: boolean;
  /** How long the history of ended jobs is kept. Default: 30 days, and 10 GiB of database; see `RetentionLimits`. */
  readonly retention?: Partial<RetentionLimits>;
  /** Each side of a session is heard at least this often (§6.4), in seconds, at least 1. Default: 30. */
  readonly heartbeatIntervalSec?: number;
  /**
   * WebSockets held at once, over all ports (`maxConnections`). One more is answered with 503. Default: 10,000.
   */
  readonly maxConnections?: number;
  /** How many requests each principal may make of the HTTP API. Default: 100 a second, and 200 at once after a pause. */
  readonly requestRate?: RequestRate;
  /**
   * What models cost, for `ctx.model`: model or pattern → price, such as
   * `{ "openai/gpt-5-mini": { currency: "USD", input: "0.25", output: "2.00" } }`, for 1,000,000 tokens. Default: none, and a
   * job with a budget can call no model. At most 4,096 entries.
   */
  readonly prices?: ModelPrices;
  /** Default: nothing is logged. */
  readonly log?: Log;
  /** Default: this machine's. */
  readonly world?: World;
  /** Something failed in this process that belongs to no job. Default: the process ends, as it would by itself. */
  readonly onBroken?: (error: unknown) => void;
  /** The store cannot be trusted any more. Default: ends the process with code 70. */
  readonly onFatal?: (error: unknown) => void;
}

const DEFAULT_RESUME_WINDOW_SEC = 600;
const DEFAULT_HEARTBEAT_INTERVAL_SEC = 30;

/**
 * The bounds of a configuration, with the defaults filled in.
 * @throws RangeError naming the option that makes no sense, and what it may be.
 */
export function readBounds(options: RuntimeOptions) {
  const { limits = {} } = options;
  requireKnownLimits(limits);
  return {
    resumeWindowSec: requireSeconds("resumeWindowSec", options.resumeWindowSec ?? DEFAULT_RESUME_WINDOW_SEC, 0),
    heartbeatIntervalSec: requireSeconds(
      "heartbeatIntervalSec",
      options.heartbeatIntervalSec ?? DEFAULT_HEARTBEAT_INTERVAL_SEC,
      1,
    ),
    sessionLimits: sessionLimits(limits),
    jobLimits: completeJobLimits(limits),
    contentLimits: contentLimits(limits),
    retention: completeRetention(options.retention),
    requestRate: requestRateOf(options.requestRate),
    maxConnections: options.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
    prices: options.prices === undefined ? undefined : createPriceTable(options.prices),
    policy: options.policy === undefined ? undefined : policyOf(options.policy),
  };
}

function policyOf(given: PolicyRules | Policy | Policy["decide"]): Policy {
  if (typeof given === "function") return { decide: given };
  return isPolicy(given) ? given : createRulesPolicy(given);
}

function isPolicy(given: PolicyRules | Policy): given is Policy {
  return typeof (given as Partial<Policy> | null)?.decide === "function";
}

const CONTENT_LIMITS = ["maxArtifactBytes", "maxJobArtifactBytes", "maxResultBytes"] as const;

/** A misspelt bound would bound nothing. */
function requireKnownLimits(given: object): void {
  const known = [...Object.keys(sessionLimits()), ...Object.keys(completeJobLimits()), ...CONTENT_LIMITS];
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new RangeError(`limits.${unknown} is no limit; there are ${known.join(", ")}`);
}

/** Those that are given: the defaults stand beside what they bound. */
function contentLimits(given: Partial<ContentLimits>): Partial<ContentLimits> {
  const limits: { -readonly [Name in keyof ContentLimits]?: number } = {};
  for (const name of CONTENT_LIMITS) {
    const bytes = given[name];
    if (bytes === undefined) continue;
    if (!(Number.isSafeInteger(bytes) || bytes === Infinity) || bytes < 0) {
      throw new RangeError(`limits.${name} must be a whole number of bytes, or Infinity, not ${String(bytes)}`);
    }
    limits[name] = bytes;
  }
  return limits;
}
