/** Makes a session follow a job from a position on, durably. To be called in the session's turn for that job. */
import type { JobRecord } from "../../kernel/job/job-record.ts";
import type { Follow } from "../../kernel/ports.ts";
import { CodedError } from "../../protocol/errors.ts";
import { beyondLimit } from "../limits.ts";
import type { HandlerContext } from "./handler.ts";

interface NewFollow extends Pick<Follow, "cursor" | "mayCancel"> {
  readonly job: Pick<JobRecord, "id" | "root">;
}

/**
 * A session receives each job's log once: what it follows already simply goes on, and at most gains the right to cancel.
 * @param then runs in the turn in which the follow is durable, before the first event of the job is sent.
 * @throws CodedError INTERNAL_ERROR when the store failed, or the session follows as many jobs as it may by subscribing;
 * RESUME_WINDOW_EXPIRED when the session is over.
 */
export async function followJob(context: HandlerContext, follow: NewFollow, then: () => void): Promise<void> {
  const { session, limits } = context;
  const { follows } = session.stream;
  if (!follow.mayCancel && !follows.has(follow.job.id)) {
    const most = limits.maxFollowsPerSession;
    if (follows.size + session.subscribing >= most) {
      throw beyondLimit(
        "maxFollowsPerSession",
        `this session follows ${most} jobs already; unsubscribe from one first`,
      );
    }
  }
  session.subscribing++;
  try {
    await storeFollow(context, follow, then);
  } finally {
    session.subscribing--;
  }
}

function storeFollow({ kernel, outbox, session }: HandlerContext, follow: NewFollow, then: () => void): Promise<void> {
  const { stream } = session;
  const { mayCancel } = follow;
  const job = follow.job.id;
  const followedBefore = stream.follows.has(job);
  return new Promise((resolve, reject) => {
    kernel.plan(() => {
      if (!outbox.has(stream)) {
        reject(new CodedError("RESUME_WINDOW_EXPIRED", `session ${session.id} is over`));
        return undefined;
      }
      const followed = stream.follows.get(job);
      if (followed === undefined && followedBefore) {
        // Its log has come to its end meanwhile: there is nothing left to follow.
        then();
        resolve();
        return undefined;
      }
      if (!kernel.keepHistory(follow.job)) {
        reject(new CodedError("INTERNAL_ERROR", `the history of job ${job} is just being removed; ask again`));
        return undefined;
      }
      const cursor = followed?.cursor ?? follow.cursor;
      return {
        rows: { follows: [{ session: session.id, job, cursor, mayCancel, since: stream.head }] },
        committed: () => {
          then();
          if (followed === undefined) outbox.follow(stream, job, cursor, mayCancel);
          else followed.mayCancel = mayCancel;
          resolve();
        },
        failed: (cause) =>
          reject(new CodedError("INTERNAL_ERROR", "the subscription could not be stored; try again", { cause })),
      };
    });
  });
}
