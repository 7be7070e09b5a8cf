/**
 * What an agent needs of a lease (§9), looked at before its job is accepted and not when it first asks: whoever submits
 * without it is told which lease would do. Only whether something is granted at all: how much, is the grantor's to say.
 */
import { CodedError } from "../../protocol/errors.ts";
import { type Lease, parseLease } from "../authority/lease.ts";

export interface Need {
  /** Of §9.2, or `x-<vendor>.<name>`. */
  readonly namespace: string;
  /** What for, in words. */
  readonly why: string;
  /** Patterns that would do, or amounts for `cost.budget`, for an input that `parseInput` has let through. */
  suggest(input: unknown): readonly string[];
}

/** A longer lease is told in the details alone, in UTF-16 units. */
const MAX_LEASE_SHOWN = 2_000;

export interface NeedsOptions {
  /** The job's costs move some counter, be it another job's. Default: that the lease has a budget. */
  readonly budgeted?: boolean;
  /** Whether a model may be used without `model.use` (§9.7). Default: true, it may not. */
  readonly requireModelUse?: boolean | undefined;
}

/**
 * @throws CodedError PERMISSION_DENIED with details `{ needs: { namespace: why }, lease_request }`, a whole lease: what was
 * granted, and what is missing; INTERNAL_ERROR when the agent suggests what is no lease.
 */
export function assertNeeds(
  agent: { readonly name: string; readonly version: string; readonly needs?: readonly Need[] | undefined },
  lease: Lease | null,
  input: unknown,
  { budgeted = lease !== null && lease.budget !== null, requireModelUse = true }: NeedsOptions = {},
): void {
  if (agent.needs === undefined) return;
  const missing = agent.needs.filter(({ namespace }) => {
    if (namespace === "cost.budget") return !budgeted;
    return lease?.grants[namespace] === undefined && (namespace !== "model.use" || requireModelUse);
  });
  if (missing.length === 0) return;
  const name = `${agent.name}@${agent.version}`;
  const suggested = missing.map((need) => [need.namespace, suggestionOf(name, need, input)] as const);
  const whole = { ...lease?.grants, ...Object.fromEntries(suggested) };
  const words = missing.map(({ namespace, why }) => `${namespace} (${why})`);
  throw new CodedError(
    "PERMISSION_DENIED",
    `${name} needs ${words.join(", ")}, which the lease does not grant. ${remedyOf(whole, suggested)}`,
    {
      details: {
        needs: Object.fromEntries(missing.map(({ namespace, why }) => [namespace, why])),
        lease_request: whole,
      },
    },
  );
}

/** @throws CodedError INTERNAL_ERROR: to hand on what would be refused again helps nobody. */
function suggestionOf(agent: string, need: Need, input: unknown): readonly string[] {
  const { namespace } = need;
  try {
    const patterns = need.suggest(input);
    // Checked in shape alone: a lease that began at the beginning of time is never too late.
    return parseLease({ [namespace]: patterns }, undefined, 0).grants[namespace] ?? [];
  } catch (error) {
    const because = error instanceof Error ? error.message : String(error);
    throw new CodedError(
      "INTERNAL_ERROR",
      `${agent} needs ${namespace} (${need.why}), which the lease does not grant; the patterns that it suggests are of no use: ${because}`,
      { retryable: false, details: { needs: { [namespace]: need.why } }, cause: error },
    );
  }
}

function remedyOf(
  whole: Readonly<Record<string, readonly string[]>>,
  suggested: readonly (readonly [namespace: string, patterns: readonly string[]])[],
): string {
  const json = JSON.stringify(whole);
  if (json.length > MAX_LEASE_SHOWN) return "A lease that would do is in details.lease_request";
  const options = suggested.flatMap(([namespace, patterns]) =>
    patterns.map((pattern) => `--lease '${`${namespace}=${pattern}`.replaceAll("'", "'\\''")}'`),
  );
  return `This lease_request would do: ${json}; on the command line, add ${options.join(" ")}`;
}
