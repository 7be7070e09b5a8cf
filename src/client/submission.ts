/** What a caller asks for, as the payloads of `job.submit` and `session.list_jobs`, and listings back. Pure. */
import type { EffectiveLease, LeaseRequest } from "../protocol/lease-fields.ts";
import type { PayloadOf } from "../protocol/registry.ts";
import type { JobStatus, Waiting } from "./job-handle.ts";

export interface SubmitOptions extends Waiting {
  /** Namespace → patterns (§9.2). A job without a lease may do nothing that needs one. */
  readonly lease?: LeaseRequest | undefined;
  /** Currency → decimal amount, such as `{ USD: "5.00" }`: the lease's `cost.budget` (§9.6). */
  readonly budget?: Readonly<Record<string, string>> | undefined;
  /** When the lease expires (§9.5); as text, ISO 8601 in UTC with the suffix `Z`. */
  readonly expiresAt?: Date | string | undefined;
  /** Submissions with the same key are one job (§7.2). Made up when left out. */
  readonly idempotencyKey?: string | undefined;
  /** Ends the job with `TIMEOUT` so many seconds after its acceptance (§7.3). Default: never. */
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

export interface JobFilter {
  readonly status?: readonly JobStatus[] | undefined;
  /** Name, or `name@version`. */
  readonly agent?: string | undefined;
  /** As text, these are ISO 8601. */
  readonly createdAfter?: Date | string | undefined;
  readonly createdBefore?: Date | string | undefined;
  /** Most jobs per page; the runtime may give fewer. */
  readonly limit?: number | undefined;
  /** A page's `nextCursor`. */
  readonly cursor?: string | undefined;
}

/** One job of a listing (§6.6). Times are ISO 8601; `budget` is per currency, and for display. */
export interface JobListing {
  readonly id: string;
  /** `name@version`. */
  readonly agent: string;
  readonly status: JobStatus;
  readonly lease: EffectiveLease;
  readonly expiresAt: string | undefined;
  readonly budget: Readonly<Record<string, number>> | undefined;
  readonly parentJobId: string | undefined;
  readonly createdAt: string;
  readonly traceId: string | undefined;
  /** The job's last position so far, its highest `jobSeq`. */
  readonly lastJobSeq: number | undefined;
}

export interface JobPage {
  readonly jobs: readonly JobListing[];
  /** Where the next page begins; undefined on the last. */
  readonly nextCursor: string | undefined;
}

export function listRequest(filter: JobFilter): PayloadOf<"session.list_jobs"> {
  const { status, agent, createdAfter, createdBefore, limit, cursor } = filter;
  return {
    filter: {
      status: status === undefined ? undefined : [...status],
      agent,
      created_after: timeText(createdAfter),
      created_before: timeText(createdBefore),
    },
    limit,
    cursor,
  };
}

export function readPage({ jobs, next_cursor }: PayloadOf<"session.jobs">): JobPage {
  const listings = jobs.map((job) => ({
    id: job.job_id,
    agent: job.agent,
    status: job.status,
    lease: job.lease,
    expiresAt: job.lease_constraints?.expires_at,
    budget: job.budget,
    parentJobId: job.parent_job_id,
    createdAt: job.created_at,
    traceId: job.trace_id,
    lastJobSeq: job.last_event_seq,
  }));
  return { jobs: listings, nextCursor: next_cursor };
}

function timeText(time: Date | string | undefined): string | undefined {
  return time instanceof Date ? time.toISOString() : time;
}
