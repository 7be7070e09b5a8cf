/** What was asked for at submission: stored with the job as JSON text, read back by whoever needs a part of it. */
import type { Lease } from "../authority/lease.ts";
import type { JobRecord } from "./job-record.ts";

export interface Submission {
  readonly input: unknown;
  /** Null for a job without a lease, which may do nothing that needs one. */
  readonly lease: Lease | null;
  readonly maxRuntimeSec?: number;
}

export function readSubmission(job: Pick<JobRecord, "submission">): Submission {
  return JSON.parse(job.submission) as Submission;
}
