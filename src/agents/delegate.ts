/**
 * `ctx.delegate` (§10): another agent does a part of the work, as a job of its own under a part of this job's lease. What is
 * refused is on the log like any refused operation; what is made is told by a `delegate` event.
 */
import type { DelegatedJob, DelegateRequest, JobHost } from "../kernel/agents-port.ts";
import type { Ids } from "../platform/world.ts";
import { toJobFailure } from "./agent-error.ts";
import type { Emit, Outside } from "./emission.ts";
import { invalid } from "./event-bodies.ts";
import { toJsonText } from "./json-text.ts";

/** What the child may do. Whatever is left out is never wider than this job's own lease (§9.4). */
export interface DelegateOptions {
  /** Namespace → patterns, each within what this job's lease covers. A namespace left out grants nothing; `model.use` left out is inherited. */
  readonly lease?: Readonly<Record<string, readonly string[]>> | undefined;
  /**
   * Currency → decimal, set aside from what is available here until the child ends. A currency left out is inherited: the
   * child's charges move this job's counter.
   */
  readonly budget?: Readonly<Record<string, string>> | undefined;
  /** When the child's lease expires, not later than this job's; as text, ISO 8601 in UTC with the suffix `Z`. */
  readonly expiresAt?: Date | string | undefined;
  /** Ends the child with TIMEOUT so many seconds after its first attempt has started. */
  readonly maxRuntimeSec?: number | undefined;
  /**
   * Names the delegation within this job: asked for again under it, it is the same child, also in a later attempt. Default:
   * its place among the delegations of the same agent, input and options.
   */
  readonly key?: string | undefined;
}

/** A child job, as its parent sees it. */
export interface Delegated<Output = unknown> extends Omit<DelegatedJob, "result"> {
  /**
   * What the child returned, once that is durable; a streamed result whole, as text or bytes.
   * @throws CodedError with which the child ended, its id in `details.job_id`.
   */
  result(): Promise<Output>;
}

/** An agent's definition, as far as a delegation needs it. */
export interface TypedAgent {
  readonly name: string;
  readonly version: string;
  readonly "~types"?: { readonly input: unknown; readonly output: unknown } | undefined;
}

/** Resolves once the child is accepted and durable; see `AgentContext.delegate`. */
export interface Delegate {
  <Agent extends TypedAgent>(
    agent: Agent,
    input: NonNullable<Agent["~types"]>["input"],
    options?: DelegateOptions,
  ): Promise<Delegated<NonNullable<Agent["~types"]>["output"]>>;
  (agent: string, input?: unknown, options?: DelegateOptions): Promise<Delegated>;
}

export interface DelegateParts {
  readonly host: JobHost;
  readonly emit: Emit;
  readonly ids: Ids;
  readonly outside: Outside;
  /** The span that delegates, as W3C `traceparent`. */
  traceparent(): string;
}

const ignore = (): void => {};

export function createDelegate({ host, emit, ids, outside, traceparent }: DelegateParts): Delegate {
  return async (agent: string | TypedAgent, input?: unknown, options: DelegateOptions = {}) => {
    const request = requestOf(agent, input, options, traceparent());
    try {
      const { jobId, delegateId, agent: reference, result, cancel } = await outside(() => host.delegate(request));
      return {
        jobId,
        delegateId,
        agent: reference,
        result: async () => outside(() => result()),
        cancel: async (reason?: string) => outside(() => cancel(reason)),
      };
    } catch (error) {
      const { agent: name, leaseRequest, leaseConstraints } = request;
      const callId = ids.next("call");
      const args = { agent: name, lease_request: leaseRequest, lease_constraints: leaseConstraints };
      const told = JSON.stringify({ tool: "agent.delegate", args, call_id: callId });
      const result = JSON.stringify({ call_id: callId, error: toJobFailure(error).toBody() });
      // Of a job that was stopped meanwhile nothing is recorded any more.
      await emit("tool_call", "tool_call", () => told).catch(ignore);
      await emit("tool_result", "tool_result", () => result).catch(ignore);
      throw error;
    }
  };
}

/** What was given is written out once: what is checked is what is asked for. */
function requestOf(
  agent: string | TypedAgent,
  input: unknown,
  { lease, budget, expiresAt, maxRuntimeSec, key }: DelegateOptions,
  traceparent: string,
): DelegateRequest {
  const reference = typeof agent === "string" ? agent : `${agent?.name}@${agent?.version}`;
  const text = toJsonText(input, "the input of a delegation", "INVALID_REQUEST");
  const amounts = Object.entries(budget ?? {}).map(([currency, amount]) => `${currency}:${amount}`);
  const asked =
    amounts.length === 0 ? lease : { ...lease, "cost.budget": [...(lease?.["cost.budget"] ?? []), ...amounts] };
  const expires = expiresAt === undefined ? undefined : { expires_at: timeText(expiresAt) };
  const [, , span, flags] = traceparent.split("-");
  return {
    agent: reference,
    input: text === undefined ? undefined : JSON.parse(text),
    ...(asked === undefined ? {} : { leaseRequest: JSON.parse(JSON.stringify(asked)) }),
    ...(expires === undefined ? {} : { leaseConstraints: expires }),
    ...(maxRuntimeSec === undefined ? {} : { maxRuntimeSec }),
    ...(key === undefined ? {} : { key }),
    traceParent: `${span}-${flags}`,
  };
}

function timeText(time: Date | string): string {
  if (typeof time === "string") return time;
  if (!(time instanceof Date) || Number.isNaN(time.getTime()))
    throw invalid("delegate.expiresAt", "must be a valid Date or an ISO 8601 time");
  return time.toISOString();
}
