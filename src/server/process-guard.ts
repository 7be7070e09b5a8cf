/** What the process does about failures nobody awaits: those of an agent end its job, any other stays Node's affair. */
import { installStrayFailureHandler } from "../agents/stray-failures.ts";
import type { Log } from "../platform/log.ts";

/** What Node exits with when nothing handles an exception. */
const UNHANDLED_EXIT_CODE = 1;
const EVENT_OF = { exception: "uncaughtException", rejection: "unhandledRejection" } as const;

/**
 * Guards the process until the returned function is called.
 * @param onBroken hears of a failure that belongs to no job. Default: the process ends, as without us.
 */
export function guardProcess(log: Log, onBroken?: (error: unknown) => void): () => void {
  return installStrayFailureHandler({
    onLate: (error, job) => log.warn({ err: error, job }, "an agent failed after its job had ended"),
    onUnowned(error, origin) {
      if (onBroken !== undefined) return onBroken(error);
      // All guards share one listener. Another means that somebody else decides; alone, we must do as Node would.
      if (process.listenerCount(EVENT_OF[origin]) > 1) return;
      log.error({ err: error }, `an unhandled ${origin} outside any agent; ending the process`);
      console.error(error);
      process.exit(UNHANDLED_EXIT_CODE);
    },
  });
}
