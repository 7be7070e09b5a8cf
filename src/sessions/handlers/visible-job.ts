/** Finding a job as one principal sees it: a foreign job and an unknown one give the same answer. */
import type { JobRecord } from "../../kernel/job/job-record.ts";
import { principalKey } from "../../kernel/principal.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { HandlerContext } from "./handler.ts";

/** @throws CodedError JOB_NOT_FOUND */
export async function findVisibleJob({ kernel, principal }: HandlerContext, id: string): Promise<JobRecord> {
  const job = await kernel.readJob(id);
  if (job === undefined || job.principal !== principalKey(principal)) {
    throw new CodedError("JOB_NOT_FOUND", `there is no job ${id} that you may see`);
  }
  return job;
}
