/**
 * Counts what a job puts on its log, to keep it within `maxLogBytes`. Counting the bytes of every entry costs more than
 * the rest of an emission, so the lengths of texts are counted, of which none has more than three bytes a unit; bytes are
 * counted one by one only where that could reach the limit. What then still waits for the disk stays counted by length.
 */

/** Of an entry beside its body: kind, time, position. */
const ENTRY_OVERHEAD = 96;
const MOST_BYTES_PER_UNIT = 3;

export class LogMeter {
  readonly limit: number;
  readonly #onNear: () => void;
  #bytes: number;
  #units = 0;
  #near = false;

  /**
   * @param options.bytes what is on the log already.
   * @param options.onNear called once, when texts can no longer stand for bytes: `correct` is to follow.
   */
  constructor(options: { limit: number; bytes: number; onNear: () => void }) {
    this.limit = options.limit;
    this.#bytes = options.bytes;
    this.#onNear = options.onNear;
  }

  /** Counts an entry with this body; false, and not counted, when it does not fit. */
  admit(body: string): boolean {
    const length = body.length + ENTRY_OVERHEAD;
    if (!this.#near) {
      if (this.#bytes + (this.#units + length) * MOST_BYTES_PER_UNIT <= this.limit) {
        this.#units += length;
        return true;
      }
      this.#near = true;
      this.#bytes += this.#units;
      this.#onNear();
    }
    const bytes = Buffer.byteLength(body) + ENTRY_OVERHEAD;
    if (this.#bytes + bytes > this.limit) return false;
    this.#bytes += bytes;
    return true;
  }

  /** The log has at least this many bytes. */
  correct(bytes: number): void {
    this.#bytes = Math.max(this.#bytes, bytes);
  }
}
