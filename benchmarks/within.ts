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

/** How long a single reply may take before the run is given up. */
export const REPLY_TIMEOUT_MS = 15_000;
/** How long a whole stream, or all replies of a round, may take. */
export const STREAM_TIMEOUT_MS = 180_000;
