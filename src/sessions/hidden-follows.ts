/**
 * Follows that outlived the right to see: kept by a session while its principal lost a role, or a restart brought a
 * narrower policy. They end before anything more of those jobs is placed in the stream.
 */
import type { Visibility } from "../identity/visibility.ts";
import type { JobId } from "../kernel/ids.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Principal } from "../kernel/principal.ts";
import type { Timers } from "../platform/world.ts";
import { CodedError } from "../protocol/errors.ts";
import type { Outbox } from "./outbox/outbox.ts";
import type { Session } from "./session.ts";

/** Jobs looked up in one turn of the event loop. */
const JOBS_PER_TURN = 64;

interface Parts {
  readonly kernel: Kernel;
  readonly visibility: Visibility;
  readonly outbox: Outbox;
  readonly timers: Timers;
}

/**
 * Resolves once it is durable that the session follows no job that `principal` may not see. What already has its place
 * in the stream stays there: it was seen rightly.
 * @throws CodedError INTERNAL_ERROR when the store failed: nobody may be let in then.
 */
export async function endHiddenFollows(parts: Parts, session: Session, principal: Principal): Promise<void> {
  const hidden: JobId[] = [];
  let looked = 0;
  for (const [id, { mayCancel }] of session.stream.follows) {
    // Whoever submitted a job is its owner for good.
    if (mayCancel) continue;
    if (++looked % JOBS_PER_TURN === 0) await new Promise<void>((resolve) => parts.timers.soon(resolve));
    const job = await parts.kernel.readJob(id);
    if (job === undefined || !parts.visibility.mayObserve(principal, job)) hidden.push(id);
  }
  if (hidden.length > 0) await unfollowAll(parts, session, hidden);
}

function unfollowAll({ kernel, outbox }: Parts, session: Session, jobs: readonly JobId[]): Promise<void> {
  return new Promise((resolve, reject) => {
    kernel.plan(() => {
      if (!outbox.has(session.stream)) {
        reject(new CodedError("RESUME_WINDOW_EXPIRED", `session ${session.id} is over`));
        return undefined;
      }
      return {
        rows: { unfollows: jobs.map((job) => ({ session: session.id, job })) },
        committed: () => {
          for (const job of jobs) outbox.unfollow(session.stream, job);
          resolve();
        },
        failed: (cause) =>
          reject(
            new CodedError("INTERNAL_ERROR", "the end of subscriptions could not be stored; try again", { cause }),
          ),
      };
    });
  });
}
