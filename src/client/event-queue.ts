/**
 * A job's events for any number of readers. Each reader gets every event from the first, at its own pace, and ends with
 * the job. What is kept is bounded: beyond the limit the oldest go, and a reader that had not got to them fails with
 * `EVENTS_LOST` instead of skipping them. While nobody waits, an event costs a push and no promise.
 */
import { EventsLostError } from "./errors.ts";
import { handled } from "./handed-out.ts";

/** What an event takes in memory beside its text, roughly, so that many small ones are bounded too. */
const EVENT_OVERHEAD = 256;
/** Dropped places are given back in runs of at least this many. */
const COMPACT_FROM = 1024;

export class EventQueue<Kept, Read> {
  readonly #limit: number;
  readonly #read: (kept: Kept) => Read;
  #kept: (Kept | undefined)[] = [];
  #sizes: number[] = [];
  /** Position, counted from 0 for the job's first event, of the first place in `#kept`. */
  #base = 0;
  /** How many places at the front of `#kept` are dropped. */
  #dropped = 0;
  #size = 0;
  #ended = false;
  #failure: unknown;
  readonly #waiting = new Set<Reader<Kept, Read>>();

  /**
   * @param limit how much is kept, in UTF-16 units of frame text, each event counted with some overhead.
   * @param read makes of what is kept what a reader gets; called per reader, when it is read.
   */
  constructor(limit: number, read: (kept: Kept) => Read) {
    this.#limit = limit;
    this.#read = read;
  }

  /** How much is kept, in the units of the limit. */
  get size(): number {
    return this.#size;
  }

  /** Ignored once ended. */
  push(kept: Kept, length: number): void {
    if (this.#ended) return;
    const size = length + EVENT_OVERHEAD;
    this.#kept.push(kept);
    this.#sizes.push(size);
    this.#size += size;
    if (this.#size > this.#limit) this.#drop();
    if (this.#waiting.size > 0) this.#wake();
  }

  /** The job ended: readers end once they have read what is kept. */
  end(): void {
    this.#finish(undefined);
  }

  /** No more will come: readers get `error` once they have read what is kept. */
  fail(error: unknown): void {
    this.#finish(error);
  }

  /** A reader that begins at the first event. Its abort makes it reject with the signal's reason. */
  open(signal?: AbortSignal): AsyncIterableIterator<Read> {
    return new Reader(this, signal);
  }

  /**
   * The event at `position`: a result, or undefined when it has not come yet.
   * @throws EventsLostError when it is kept no more; what `fail` was given, after the last.
   */
  take(position: number): IteratorResult<Read> | undefined {
    const lost = this.#base + this.#dropped - position;
    if (lost > 0) throw new EventsLostError(lost);
    const index = position - this.#base;
    if (index < this.#kept.length) return { done: false, value: this.#read(this.#kept[index] as Kept) };
    if (!this.#ended) return undefined;
    if (this.#failure !== undefined) throw this.#failure;
    return { done: true, value: undefined };
  }

  wait(reader: Reader<Kept, Read>): void {
    this.#waiting.add(reader);
  }

  #finish(failure: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#wake();
  }

  #wake(): void {
    const readers = [...this.#waiting];
    this.#waiting.clear();
    for (const reader of readers) reader.wake();
  }

  /** Drops the oldest until the rest is within the limit; the newest always stays. */
  #drop(): void {
    while (this.#size > this.#limit && this.#dropped < this.#kept.length - 1) {
      this.#size -= this.#sizes[this.#dropped] as number;
      this.#kept[this.#dropped++] = undefined;
    }
    if (this.#dropped < COMPACT_FROM || this.#dropped * 2 < this.#kept.length) return;
    this.#kept = this.#kept.slice(this.#dropped);
    this.#sizes = this.#sizes.slice(this.#dropped);
    this.#base += this.#dropped;
    this.#dropped = 0;
  }
}

/** One reader's place in the queue. Written out, and not a generator, since it is passed once per event. */
class Reader<Kept, Read> implements AsyncIterableIterator<Read> {
  readonly #queue: EventQueue<Kept, Read>;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.#stop(this.#signal?.reason);
  /** Calls to `next` that wait for an event, oldest first. */
  readonly #calls: PromiseWithResolvers<IteratorResult<Read>>[] = [];
  #position = 0;
  #done = false;

  constructor(queue: EventQueue<Kept, Read>, signal: AbortSignal | undefined) {
    this.#queue = queue;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#abort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Read>> {
    if (this.#signal?.aborted) return this.#reject(this.#signal.reason);
    if (this.#done) return Promise.resolve({ done: true, value: undefined });
    try {
      const result = this.#calls.length === 0 ? this.#take() : undefined;
      if (result !== undefined) return Promise.resolve(result);
    } catch (error) {
      return this.#reject(error);
    }
    const call = Promise.withResolvers<IteratorResult<Read>>();
    this.#calls.push(call);
    this.#queue.wait(this);
    return handled(call.promise);
  }

  return(): Promise<IteratorResult<Read>> {
    this.#stop(undefined);
    return Promise.resolve({ done: true, value: undefined });
  }

  /** There may be something to read: answers the calls that wait, as far as it goes. */
  wake(): void {
    try {
      for (let call = this.#calls[0]; call !== undefined; call = this.#calls[0]) {
        const result = this.#done ? ({ done: true, value: undefined } as const) : this.#take();
        if (result === undefined) return this.#queue.wait(this);
        this.#calls.shift();
        call.resolve(result);
      }
    } catch (error) {
      this.#calls.shift()?.reject(error);
      this.#stop(undefined);
    }
  }

  #take(): IteratorResult<Read> | undefined {
    const result = this.#queue.take(this.#position);
    if (result === undefined) return undefined;
    if (result.done) this.#close();
    else this.#position += 1;
    return result;
  }

  #reject(error: unknown): Promise<never> {
    this.#close();
    return handled(Promise.reject(error));
  }

  /** Ends the reader: calls that wait get `reason`, or the end when there is none. */
  #stop(reason: unknown): void {
    this.#close();
    for (const call of this.#calls.splice(0)) {
      if (reason === undefined) call.resolve({ done: true, value: undefined });
      else call.reject(reason);
    }
  }

  #close(): void {
    this.#done = true;
    this.#signal?.removeEventListener("abort", this.#abort);
  }
}
