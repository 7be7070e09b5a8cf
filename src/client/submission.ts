/** What a caller asks for, as the payload of `job.submit`. Pure. */
import type { LeaseRequest } from "../protocol/lease-fields.ts";
import type { PayloadOf } from "../protocol/registry.ts";
import type { Waiting } from "./job.ts";
import { timeText } from "./time-text.ts";

export interface SubmitOptions extends Waiting {
  /** Namespace → patterns (§9.2). A job without a lease may do nothing that needs one. */
  readonly lease?: LeaseRequest | undefined;
  /** Currency → decimal amount, such as `{ USD: "5.00" }`: the lease's `cost.budget` (§9.6). */
  readonly budget?: Readonly<Record<string, string>> | undefined;
  /** When the lease expires (§9.5); as text, ISO 8601 in UTC with the suffix `Z`. */
  readonly expiresAt?: Date | string | undefined;
  /** Submissions with the same key are one job (§7.2). Made up when left out. */
  readonly idempotencyKey?: string | undefined;
  /** Ends the job with `TIMEOUT` so many seconds after its first attempt has started (§7.3). Default: never. */
  readonly maxRuntimeSec?: number | undefined;
  /** 32 hex digits, or a W3C `traceparent` (§11). */
  readonly traceId?: string | undefined;
}

/** @throws RangeError when `expiresAt` is an invalid `Date`. */
export function submission(
  agent: string,
  input: unknown,
  key: string,
  options: SubmitOptions,
): PayloadOf<"job.submit"> {
  const expires_at = timeText(options.expiresAt);
  return {
    agent,
    input,
    lease_request: leaseRequest(options),
    lease_constraints: expires_at === undefined ? undefined : { expires_at },
    idempotency_key: key,
    max_runtime_sec: options.maxRuntimeSec,
  };
}

function leaseRequest({ lease, budget }: SubmitOptions): LeaseRequest | undefined {
  const amounts = Object.entries(budget ?? {}).map(([currency, amount]) => `${currency}:${amount}`);
  if (amounts.length === 0) return lease;
  return { ...lease, "cost.budget": [...(lease?.["cost.budget"] ?? []), ...amounts] };
}
