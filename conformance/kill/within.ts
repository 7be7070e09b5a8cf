/** Waiting with an end to it. */

/** @throws Error with `message` when `promise` has not settled after `ms`. */
export async function within<Value>(ms: number, message: string, promise: Promise<Value>): Promise<Value> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(message)), ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
