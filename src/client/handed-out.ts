/** Promises that calls hand out. */

const ignore = (): void => {};

/**
 * Marks a promise as handled: whoever awaits it still gets its failure, and nobody having awaited it yet is no
 * unhandled rejection, which would end a Node process.
 */
export function handled<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(ignore);
  return promise;
}

/** What the generator yields, each of its promises marked as handled. */
export function handledIterator<Value>(generator: AsyncGenerator<Value, void, void>): AsyncIterableIterator<Value> {
  const iterator: AsyncIterableIterator<Value> = {
    next: () => handled(generator.next()),
    return: () => handled(generator.return()),
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

/** `promise`, or the signal's reason as soon as it aborts. What `promise` stands for goes on. */
export function abortable<Value>(promise: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return promise;
  return handled(
    new Promise<Value>((resolve, reject) => {
      const abort = (): void => reject(signal.reason);
      if (signal.aborted) return abort();
      signal.addEventListener("abort", abort, { once: true });
      promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    }),
  );
}
