/**
 * `job.cancel` (§7.4). The session that submitted the job may cancel it, resumed or not, and one that re-attached by its
 * idempotency key. Its owner may from any other session that negotiated `x-leasehold.control`. Following is not enough.
 */
import { isTerminal } from "../../kernel/job/job-state.ts";
import { CodedError } from "../../protocol/errors.ts";
import { wireStatus } from "../job-view.ts";
import type { Handler } from "./handler.ts";
import { findVisibleJob } from "./visible-job.ts";

export const handleCancel: Handler<"job.cancel"> = async (context, message) => {
  const { kernel, session, channel } = context;
  const { job_id: id, reason } = message.payload;
  const job = await findVisibleJob(context, id);
  const mayCancel = job.session === session.id || session.stream.follows.get(id)?.mayCancel === true;
  if (!mayCancel && !session.features.has("x-leasehold.control") && !isTerminal(job.status)) {
    throw new CodedError(
      "PERMISSION_DENIED",
      `job ${id} was submitted by another session; negotiate x-leasehold.control to cancel it`,
    );
  }
  const because = reason === undefined ? {} : { reason };
  await kernel.cancel({ job: id, ...because }, (cancelled) => {
    const status =
      cancelled.status === "cancelled" && !isTerminal(job.status) ? {} : { final_status: wireStatus(cancelled.status) };
    channel.send("job.cancelled", { job_id: id, ...because, request_id: message.id, ...status }, { job_id: id });
  });
};
