/** Bytes on their way into a stream: those of one turn of the event loop leave in one write, and the rest is watched. */
import type { Writable } from "node:stream";
import type { Timers } from "../platform/world.ts";
import { OVERLOAD_BYTES } from "./connection.ts";

export interface TurnWriterOwner {
  /** Whether data may still be written. What waits when it may not is dropped. */
  isWritable(): boolean;
  /** Unsent bytes fell back under the mark that `overloaded` reported. */
  drained(): void;
}

export class TurnWriter {
  readonly #output: Writable;
  readonly #timers: Timers;
  readonly #owner: TurnWriterOwner;
  /** Bytes of this turn, one character per byte. */
  #unwritten = "";
  #flushScheduled = false;
  /** `overloaded` was true after an addition, and `drained` has not been called since. */
  #owesDrained = false;
  #isOpen = false;

  constructor(output: Writable, timers: Timers, owner: TurnWriterOwner) {
    this.#output = output;
    this.#timers = timers;
    this.#owner = owner;
    output.on("drain", () => this.#drain());
  }

  /** From now on the owner is told `drained`. */
  open(): void {
    this.#isOpen = true;
    this.#drain();
  }

  /** Bytes that the peer has not taken. */
  get unsentBytes(): number {
    return this.#unwritten.length + this.#output.writableLength;
  }

  get overloaded(): boolean {
    return this.unsentBytes > OVERLOAD_BYTES;
  }

  /** Queues bytes, given as a string of one character per byte; they leave with all else of this turn. */
  add(bytes: string): void {
    this.#unwritten += bytes;
  }

  /** Has what was added leave at the end of this turn. */
  schedule(): void {
    this.#owesDrained ||= this.overloaded;
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    // A tick set from a microtask runs once the microtasks are through: frames sent by this turn's promises leave, too.
    queueMicrotask(() => process.nextTick(() => this.flush()));
  }

  /** Writes what waits. */
  flush(): void {
    this.#flushScheduled = false;
    const bytes = this.#unwritten;
    this.#unwritten = "";
    if (bytes === "" || !this.#owner.isWritable()) return;
    this.#output.write(bytes, "latin1");
    // What the kernel takes at once brings no `drain` event. In a later turn, so that a follower that answers
    // `drained` with its next page leaves room for others.
    if (this.#owesDrained && !this.overloaded) this.#timers.soon(() => this.#drain());
  }

  /** Forgets what waits to be written. */
  discard(): void {
    this.#unwritten = "";
  }

  #drain(): void {
    if (!this.#isOpen || !this.#owesDrained || this.overloaded || !this.#owner.isWritable()) return;
    this.#owesDrained = false;
    this.#owner.drained();
  }
}
