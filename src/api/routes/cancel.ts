/** `POST /api/jobs/{job_id}:cancel` (§7.4): by the job's owner from anywhere, and by operators. Audited. */
import Type from "typebox";
import { type JobRecord, shownStatus } from "../../kernel/job/job-record.ts";
import { isTerminal } from "../../kernel/job/job-state.ts";
import { principalKey } from "../../kernel/principal.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { App, RouteContext } from "../route.ts";
import { JobParams, JobStatus } from "../schemas.ts";
import { jobNotFound } from "../visible-job.ts";

const Body = Type.Union([
  Type.Object(
    { reason: Type.Optional(Type.String({ maxLength: 1_000, description: "told in the job's error" })) },
    { additionalProperties: false },
  ),
  Type.Null(),
]);

export function addCancel(app: App, { kernel, visibility }: RouteContext): void {
  const schema = {
    operationId: "cancelJob",
    summary: "Stops a job",
    description:
      "Answered once the cancellation is durable. Of a job that had ended before, the answer tells how: asking again changes nothing.",
    params: JobParams,
    body: Body,
    response: { 200: Type.Object({ job_id: Type.String(), final_status: JobStatus }) },
  };
  app.post("/api/jobs/:job_id([^:/]+)::cancel", { schema }, async ({ params, body, caller }) => {
    const { principal } = caller;
    const id = params.job_id;
    const reason = body?.reason;
    const job = await kernel.readJob(id);
    const mayControl = job !== undefined && visibility.mayControl(principal, job);
    const details = {
      via: "api",
      ...(reason === undefined ? {} : { reason }),
      ...(job !== undefined && isTerminal(job.status) ? { had_ended: true } : {}),
    };
    const owner = job?.principal ?? null;
    kernel.audit({
      principal: principalKey(principal),
      action: "job.cancel",
      job: id,
      owner,
      allowed: mayControl,
      details,
    });
    if (!mayControl) {
      if (job === undefined || !visibility.mayObserve(principal, job)) throw jobNotFound(id);
      throw new CodedError("PERMISSION_DENIED", `job ${id} is not yours to stop, though you may see it`);
    }
    let stopped: JobRecord = job;
    await kernel.cancel({ job: id, ...(reason === undefined ? {} : { reason }) }, (answered) => {
      stopped = answered;
    });
    return { job_id: id, final_status: shownStatus(stopped.status) };
  });
}
