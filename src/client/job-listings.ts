/** Listings of jobs (§6.6): what a caller asks for as a payload, the pages that come back, and all of them in a row. */
import type { EffectiveLease } from "../protocol/lease-fields.ts";
import type { PayloadOf } from "../protocol/registry.ts";
import { RequestError } from "./errors.ts";
import { handledIterator } from "./handed-out.ts";
import type { JobStatus } from "./job.ts";
import { timeText } from "./time-text.ts";

export interface JobFilter {
  readonly status?: readonly JobStatus[] | undefined;
  /** Name, or `name@version`. */
  readonly agent?: string | undefined;
  /** As text, these are ISO 8601. */
  readonly createdAfter?: Date | string | undefined;
  readonly createdBefore?: Date | string | undefined;
  /** Most jobs per page; the runtime may give fewer. Default: the runtime's. */
  readonly pageSize?: number | undefined;
}

/** One job of a listing. Times are ISO 8601; `budget` is per currency, and for display. */
export interface JobListing {
  readonly id: string;
  /** `name@version`. */
  readonly agent: string;
  readonly status: JobStatus;
  readonly lease: EffectiveLease;
  readonly expiresAt: string | undefined;
  readonly budget: Readonly<Record<string, number>> | undefined;
  readonly parentJobId: string | undefined;
  /** Whose it is, as `tenant/id`; undefined for the session's own principal, and when the runtime does not say. */
  readonly principal: string | undefined;
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

/** Every job that fits, newest first: pages are asked for as they are needed, each time it is iterated anew. */
export interface JobListings extends AsyncIterable<JobListing> {
  /** One page: the first, or the one that begins at a page's `nextCursor`. */
  page(cursor?: string): Promise<JobPage>;
}

/** @throws RangeError when a time is an invalid `Date`. */
export function listRequest(filter: JobFilter, cursor: string | undefined): PayloadOf<"session.list_jobs"> {
  const { status, agent, createdAfter, createdBefore, pageSize } = filter;
  return {
    filter: {
      status: status === undefined ? undefined : [...status],
      agent,
      created_after: timeText(createdAfter),
      created_before: timeText(createdBefore),
    },
    limit: pageSize,
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
    principal: job.principal,
    createdAt: job.created_at,
    traceId: job.trace_id,
    lastJobSeq: job.last_event_seq,
  }));
  return { jobs: listings, nextCursor: next_cursor };
}

/** @param page asks for one page. */
export function jobListings(page: JobListings["page"], signal: AbortSignal | undefined): JobListings {
  async function* all(): AsyncGenerator<JobListing, void, void> {
    let cursor: string | undefined;
    do {
      const { jobs, nextCursor }: JobPage = await page(cursor);
      for (const job of jobs) {
        signal?.throwIfAborted();
        yield job;
      }
      if (nextCursor !== undefined && nextCursor === cursor) {
        const message = "the runtime named a page as the one after itself";
        throw new RequestError({ code: "INTERNAL_ERROR", message, retryable: false });
      }
      cursor = nextCursor;
    } while (cursor !== undefined);
  }
  return { page, [Symbol.asyncIterator]: () => handledIterator(all()) };
}
