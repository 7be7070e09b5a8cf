/** `job.subscribe` and `job.unsubscribe` (§7.6): following a job that one may see, without the right to cancel it. Audited. */

import type { JobId } from "../../kernel/ids.ts";
import { agentReference, shownStatus } from "../../kernel/job/job-record.ts";
import { isTerminal } from "../../kernel/job/job-state.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { MessageOf } from "../../protocol/registry.ts";
import { boundsOf, placeInTree } from "../job-view.ts";
import { followJob } from "./follow-job.ts";
import type { Handler, HandlerContext } from "./handler.ts";
import { jobSeqAt } from "./own-place.ts";
import { auditDecision, findVisibleJob } from "./visible-job.ts";
import { isLogEnded } from "./whole-log.ts";

export const handleSubscribe: Handler<"job.subscribe"> = (context, message) =>
  context.session.inTurn(message.payload.job_id, () => subscribe(context, message));

async function subscribe(context: HandlerContext, message: MessageOf<"job.subscribe">): Promise<void> {
  const { kernel, session, channel, turns } = context;
  await turns.next(session);
  const { job_id: id, from_job_seq, from_event_seq, history } = message.payload;
  await findVisibleJob(context, id, "job.subscribe");
  const head = (await kernel.readHeads([id])).get(id) ?? 0;
  const ended = await isLogEnded(kernel, id, head);
  // Read after the head: the status told never lags behind the place from which the log follows. What a commit under way
  // has written already is in the store before the kernel hears that it was written.
  let job = await findVisibleJob(context, id, "job.subscribe");
  if (ended && !isTerminal(job.status)) {
    await betweenCommits(context);
    job = await findVisibleJob(context, id, "job.subscribe");
  }
  const budget = (await kernel.readBudgets([job])).get(id);
  auditDecision(context, "job.subscribe", job, true);
  const from = from_job_seq ?? (await positionOf(context, id, from_event_seq));
  // Beyond the head means full history, never nothing.
  const wanted = from > head ? 0 : from;
  const followed = session.stream.follows.get(id);
  // A session receives each job's log once: what it follows already simply goes on.
  const cursor = followed?.cursor ?? (history ? wanted : head);

  const answer = (): void => {
    const bounds = { ...boundsOf(job, budget), agent: agentReference(job), trace_id: job.traceId };
    const place = { subscribed_from: cursor, replayed: followed === undefined && cursor < head };
    const parent = placeInTree(job);
    channel.send(
      "job.subscribed",
      { job_id: id, current_status: shownStatus(job.status), ...bounds, ...parent, ...place, request_id: message.id },
      { job_id: id, trace_id: job.traceId },
    );
  };
  const answerInOrder = (): void => session.stream.answerInOrder(answer);
  // A log that is had to its end has nothing to follow; a follow of it would stand in the way of a later one.
  if (followed !== undefined || (ended && cursor === head)) answerInOrder();
  else await followJob(context, { job, cursor, mayCancel: false }, answerInOrder);
}

/** Resolves when no commit is under way, and what the last one did is known. */
function betweenCommits({ kernel }: HandlerContext): Promise<void> {
  return new Promise((resolve) => {
    kernel.plan(() => {
      resolve();
      return undefined;
    });
  });
}

/** A place of this session's stream for this job stands for the entry there; any other is a position in the job's log. */
async function positionOf(context: HandlerContext, job: JobId, fromEventSeq = 0): Promise<number> {
  return (await jobSeqAt(context, job, fromEventSeq)) ?? fromEventSeq;
}

export const handleUnsubscribe: Handler<"job.unsubscribe"> = (context, message) =>
  context.session.inTurn(message.payload.job_id, () => unsubscribe(context, message.payload.job_id));

/** Resolves once it is durable: a subscription that comes after it is of a later commit. */
function unsubscribe({ kernel, outbox, session }: HandlerContext, job: JobId): void | Promise<void> {
  const { stream } = session;
  if (stream.follows.get(job)?.mayCancel !== false) return;
  return new Promise((resolve, reject) => {
    kernel.plan(() => {
      // What has ended by itself meanwhile may be gone from the store as well: no commit may name it.
      if (!outbox.has(stream) || !stream.follows.has(job)) {
        resolve();
        return undefined;
      }
      return {
        rows: { unfollows: [{ session: session.id, job }] },
        committed: () => {
          outbox.unfollow(stream, job);
          resolve();
        },
        failed: (cause) =>
          reject(new CodedError("INTERNAL_ERROR", "the end of the subscription could not be stored", { cause })),
      };
    });
  });
}
