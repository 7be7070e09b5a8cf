/** Every wait of the harness ends: with what was awaited, or with an error that names it. */

/**
 * Settles as `promise` does, or rejects after `milliseconds`.
 * @param awaited what is awaited, to stand in the error: "no job.accepted within 10000 ms".
 */
export async function within<T>(promise: Promise<T>, milliseconds: number, awaited: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no ${awaited} within ${milliseconds} ms`)), milliseconds);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

interface Wait {
  readonly reject: (error: Error) => void;
  readonly awaited: string;
  readonly milliseconds: number;
  readonly overdueAt: number;
}

/** How often waits that are overdue are looked for. */
const LOOK_MS = 500;

/** `within` for very many short waits: a timer and a race for each would cost the load client as much as its reply does. */
export class Deadlines {
  readonly #waits = new Map<string, Wait>();
  #timer: NodeJS.Timeout | undefined;

  /** Rejects `waiter` unless `met` is called with this key within `milliseconds`, or half a second more. */
  set(
    key: string,
    { reject }: Pick<PromiseWithResolvers<never>, "reject">,
    milliseconds: number,
    awaited: string,
  ): void {
    this.#waits.set(key, { reject, awaited, milliseconds, overdueAt: performance.now() + milliseconds });
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
  }

  met(key: string): void {
    this.#waits.delete(key);
  }

  #look(): void {
    const now = performance.now();
    for (const [key, { reject, awaited, milliseconds, overdueAt }] of this.#waits) {
      if (now < overdueAt) continue;
      this.#waits.delete(key);
      reject(new Error(`no ${awaited} within ${milliseconds} ms`));
    }
    if (this.#waits.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** How long a single reply may take before the run is given up. */
export const REPLY_TIMEOUT_MS = 15_000;
/** How long a whole stream, or all replies of a round, may take. */
export const STREAM_TIMEOUT_MS = 180_000;
