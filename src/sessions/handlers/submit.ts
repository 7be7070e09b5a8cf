/** `job.submit` (§7.1): payload → a kernel submission. Answers leave in the order of the requests. */
import type { JobId } from "../../kernel/ids.ts";
import type { Accepted } from "../../kernel/job/submit.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { Feature } from "../../protocol/features.ts";
import type { MessageOf, PayloadOf } from "../../protocol/registry.ts";
import { acceptedPayload } from "../job-view.ts";
import type { Session } from "../session.ts";
import { followJob } from "./follow-job.ts";
import type { Handler, HandlerContext } from "./handler.ts";
import { hasWholeLog } from "./whole-log.ts";

export const handleSubmit: Handler<"job.submit"> = async (context, message) => {
  const reply = context.channel.reserveReply();
  try {
    assertNegotiated(context.session, message);
    const { payload } = message;
    let repeated: Accepted | undefined;
    const answer = ({ job }: Accepted): void =>
      reply.answer("job.accepted", acceptedPayload(job, message.id), { job_id: job.id, trace_id: job.traceId });
    await context.kernel.submit(
      {
        principal: context.principal,
        session: context.session.id,
        agent: payload.agent,
        input: payload.input,
        leaseRequest: payload.lease_request,
        leaseConstraints: payload.lease_constraints,
        ...(payload.idempotency_key === undefined ? {} : { idempotencyKey: payload.idempotency_key }),
        ...(payload.max_runtime_sec === undefined ? {} : { maxRuntimeSec: payload.max_runtime_sec }),
        ...(message.trace_id === undefined ? {} : { traceId: message.trace_id }),
        ...(message.trace_parent === undefined ? {} : { traceParent: message.trace_parent }),
      },
      (accepted) => {
        if (accepted.repeated) {
          repeated = accepted;
          return;
        }
        answer(accepted);
        if (!reply.hasLeft) reply.whenLeft(holdBack(context, accepted.job.id));
      },
    );
    if (repeated !== undefined) {
      // Its events may follow the answer in the same turn: nothing earlier may hold that up any more.
      await reply.turn();
      await reattach(context, repeated, answer);
    }
  } catch (error) {
    const refusal =
      error instanceof CodedError ? error : new CodedError("INTERNAL_ERROR", "the submission failed", { cause: error });
    reply.refuse(refusal.toBody(), message.id);
    if (refusal !== error) throw error;
  }
};

/** Nothing of a job may come before the acceptance that names it, which waits for answers to earlier requests. */
function holdBack({ kernel, outbox, session }: HandlerContext, job: JobId): () => void {
  const letGo = outbox.holdBack(session.stream, job);
  // Of no use but its callbacks: between two commits is when a stream may begin to follow a job.
  return () => kernel.plan(() => ({ rows: {}, committed: letGo, failed: letGo }));
}

/**
 * A key that belongs to a job of another session re-attaches this one to it: full history, and the right to cancel. In
 * a session that has its stream nothing starts anew.
 */
function reattach(context: HandlerContext, accepted: Accepted, answer: (accepted: Accepted) => void): Promise<void> {
  const { session } = context;
  const { job } = accepted;
  return session.inTurn(job.id, async () => {
    const followed = session.stream.follows.get(job.id);
    if (job.session === session.id || followed?.mayCancel === true) answer(accepted);
    else if (followed === undefined && (await hasWholeLog(context, job.id))) answer(accepted);
    else await followJob(context, { job, cursor: 0, mayCancel: true }, () => answer(accepted));
  });
}

/** What a submission uses must have been negotiated (§6.2): it is refused rather than silently dropped. */
function assertNegotiated(session: Session, { payload }: MessageOf<"job.submit">): void {
  for (const feature of featuresOf(payload)) {
    if (session.features.has(feature)) continue;
    throw new CodedError("INVALID_REQUEST", `the submission uses ${feature}, which this session did not negotiate`, {
      details: { feature },
    });
  }
}

function featuresOf(payload: PayloadOf<"job.submit">): Feature[] {
  const used: Feature[] = [];
  const { lease_request: lease, lease_constraints: constraints } = payload;
  if (payload.agent.includes("@")) used.push("agent_versions");
  if (lease?.["cost.budget"] != null || constraints?.max_budget != null) used.push("cost.budget");
  if (lease?.["model.use"] != null) used.push("model.use");
  if (constraints?.expires_at != null) used.push("lease_expires_at");
  return used;
}
