/**
 * `job.cancel` (§7.4). The session that submitted the job may cancel it, resumed or not, and one that re-attached by its
 * idempotency key. From any other session its owner and operators may, once `x-leasehold.control` is negotiated, and it is
 * audited. Following a job, or seeing it, is not enough.
 */
import { shownStatus } from "../../kernel/job/job-record.ts";
import { isTerminal } from "../../kernel/job/job-state.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { Handler } from "./handler.ts";
import { auditDecision, findVisibleJob } from "./visible-job.ts";

export const handleCancel: Handler<"job.cancel"> = async (context, message) => {
  const { kernel, session, channel, principal, visibility } = context;
  const { job_id: id, reason } = message.payload;
  const job = await findVisibleJob(context, id, "job.cancel");
  const because = reason === undefined ? {} : { reason };
  const isOwn = job.session === session.id || session.stream.follows.get(id)?.mayCancel === true;
  if (!isOwn) {
    const mayControl = visibility.mayControl(principal, job);
    // Without the feature its owner, and operators, are still told how it ended.
    const allowed = mayControl && (session.features.has("x-leasehold.control") || isTerminal(job.status));
    auditDecision(context, "job.cancel", job, allowed, {
      ...because,
      ...(allowed ? {} : { code: "PERMISSION_DENIED" }),
    });
    if (!allowed) {
      const remedy = mayControl
        ? "was submitted by another session; negotiate x-leasehold.control to cancel it"
        : "is another principal's: you may watch it, and only its owner or an operator may cancel it";
      throw new CodedError("PERMISSION_DENIED", `job ${id} ${remedy}`);
    }
  }
  await kernel.cancel({ job: id, ...because }, (cancelled) => {
    const status =
      cancelled.status === "cancelled" && !isTerminal(job.status)
        ? {}
        : { final_status: shownStatus(cancelled.status) };
    channel.send("job.cancelled", { job_id: id, ...because, request_id: message.id, ...status }, { job_id: id });
  });
};
