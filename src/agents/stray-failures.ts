/**
 * Failures nobody awaits: a rejection an agent dropped, a throw in its timer or listener. Each attempt runs in an
 * async context that says whose it is; Node (24 and later) keeps that context in its process-level hooks, so that a
 * stray failure ends the job it came out of, and never the process.
 *
 * Without an owner remain failures that begin outside an attempt: a listener the agent put on an emitter which other
 * code fires, and a promise which other code rejects. `createContext` re-enters the attempt where the kernel calls in.
 */
import { AsyncLocalStorage } from "node:async_hooks";

interface Owner {
  readonly job: string;
  /** Ends the attempt with this error; false when it is over already. */
  fail(error: unknown): boolean;
}

/** One for the process, as its hooks are: both sides must mean the same storage. Holds nothing by itself. */
const owners = new AsyncLocalStorage<Owner>();

/**
 * Runs one attempt of `job`. Settles as `work` does, or rejects with the first stray failure that comes out of it
 * before that. `work` is not stopped by it: the caller shuts it out.
 */
export function runOwned<Result>(job: string, work: () => Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    let over = false;
    const owner: Owner = {
      job,
      fail(error) {
        if (over) return false;
        over = true;
        reject(error);
        return true;
      },
    };
    owners.run(owner, work).then(
      (result) => {
        over = true;
        resolve(result);
      },
      (error: unknown) => {
        over = true;
        reject(error);
      },
    );
  });
}

export interface StrayFailureHandlers {
  /** It came out of no attempt: a failure of the process itself, which Node would have ended. */
  onUnowned(error: unknown, origin: "exception" | "rejection"): void;
  /** It came out of an attempt of `job` that was over already; nothing is left to end. For logs. */
  onLate?(error: unknown, job: string): void;
}

/** Whoever wants to hear; the process is hooked into once for all of them, while there is one. */
const listeners = new Set<StrayFailureHandlers>();

/**
 * Hooks into the process's `uncaughtException` and `unhandledRejection`. What belongs to no attempt is told to every
 * handler, what came too late to one. Returns how to stop listening; the hooks come off with the last.
 */
export function installStrayFailureHandler(handlers: StrayFailureHandlers): () => void {
  if (listeners.size === 0) {
    process.on("uncaughtException", onException);
    process.on("unhandledRejection", onRejection);
  }
  listeners.add(handlers);
  return () => {
    if (!listeners.delete(handlers) || listeners.size > 0) return;
    process.off("uncaughtException", onException);
    process.off("unhandledRejection", onRejection);
  };
}

function onException(error: unknown): void {
  handle(error, "exception");
}

function onRejection(error: unknown): void {
  handle(error, "rejection");
}

function handle(error: unknown, origin: "exception" | "rejection"): void {
  const owner = owners.getStore();
  if (owner === undefined) {
    for (const { onUnowned } of listeners) onUnowned(error, origin);
  } else if (!owner.fail(error)) {
    const [first] = listeners;
    first?.onLate?.(error, owner.job);
  }
}
