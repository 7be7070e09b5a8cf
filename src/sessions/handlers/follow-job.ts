/** Makes a session follow a job from a position on, durably. */
import { CodedError } from "../../protocol/errors.ts";
import type { Follow } from "../../kernel/ports.ts";
import type { HandlerContext } from "./handler.ts";

/**
 * @param then runs in the turn in which the follow is durable, before the first event of the job is sent.
 * @throws CodedError INTERNAL_ERROR when the store failed.
 */
export function followJob(
  { kernel, outbox, session }: HandlerContext,
  follow: Omit<Follow, "session">,
  then: () => void = () => {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    kernel.plan(() => ({
      rows: { follows: [{ session: session.id, ...follow }] },
      committed: () => {
        then();
        outbox.follow(session.stream, follow.job, follow.cursor, follow.mayCancel);
        resolve();
      },
      failed: (cause) => reject(new CodedError("INTERNAL_ERROR", "the subscription could not be stored; try again", { cause })),
    }));
  });
}
