/**
 * Watches one session's stream as it arrives: each `event_seq` is one above the last (§8.3), and each accepted job
 * has exactly one terminal. Counts what it saw, for rates and frame sizes.
 */
export class StreamCheck {
  #lastEventSeq: number;
  readonly #open = new Set<string>();
  readonly #ended = new Set<string>();
  #frames = 0;
  #characters = 0;
  #firstAt = 0;
  #lastAt = 0;

  /** @param lastEventSeq the place after which the stream begins: 0 for a new session. */
  constructor(lastEventSeq = 0) {
    this.#lastEventSeq = lastEventSeq;
  }

  get lastEventSeq(): number {
    return this.#lastEventSeq;
  }

  /** @throws Error at a gap or a repeat. */
  placed(eventSeq: number, characters: number): void {
    if (eventSeq !== this.#lastEventSeq + 1) {
      throw new Error(
        `event_seq ${eventSeq} came after ${this.#lastEventSeq}: a ${eventSeq > this.#lastEventSeq ? "gap" : "repeat"}`,
      );
    }
    this.#lastEventSeq = eventSeq;
    this.#lastAt = performance.now();
    if (this.#frames === 0) this.#firstAt = this.#lastAt;
    this.#frames += 1;
    this.#characters += characters;
  }

  accepted(jobId: string): void {
    this.#open.add(jobId);
  }

  /** @throws Error at a second terminal, or one for a job that was never accepted. */
  ended(jobId: string): void {
    if (this.#ended.has(jobId)) throw new Error(`a second terminal came for ${jobId}`);
    if (!this.#open.delete(jobId)) throw new Error(`a terminal came for ${jobId}, which was not accepted here`);
    this.#ended.add(jobId);
  }

  /** What arrived since the last call, frames that have a place in the stream only. */
  take(): StreamTally {
    const tally = {
      frames: this.#frames,
      meanFrameSize: this.#frames === 0 ? 0 : this.#characters / this.#frames,
      milliseconds: this.#lastAt - this.#firstAt,
    };
    this.#frames = 0;
    this.#characters = 0;
    return tally;
  }
}

export interface StreamTally {
  readonly frames: number;
  /** In characters, which are bytes for the ASCII that the benchmark agents emit. */
  readonly meanFrameSize: number;
  /** From the first of these frames to the last. */
  readonly milliseconds: number;
}

/** Frames per second between the first and the last of a tally. */
export function rateOf(tally: StreamTally): number {
  return ((tally.frames - 1) / tally.milliseconds) * 1000;
}
