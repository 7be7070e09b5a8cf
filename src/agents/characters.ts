/** Text that comes in pieces, cut and joined so that no character is ever split. */

/** Joins surrogate pairs whose halves came in different pieces. */
export class Pairs {
  /** The first half of a pair whose second half comes with the next piece. */
  #half = "";

  /** What is whole so far: a half pair at the end is kept for the next piece. */
  join(text: string): string {
    const whole = this.#half + text;
    this.#half = isHighSurrogate(whole, whole.length - 1) ? whole.slice(-1) : "";
    return this.#half === "" ? whole : whole.slice(0, -1);
  }

  /** A half that nothing completes; empty when there is none. */
  takeHalf(): string {
    const rest = this.#half;
    this.#half = "";
    return rest;
  }
}

/**
 * Cuts text into pieces of at most `length` UTF-16 units, from 2. A lone surrogate is no character and has no UTF-8: it
 * becomes U+FFFD here, and not somewhere on the way.
 */
export function* cutText(text: string, length: number): Generator<string, void, void> {
  for (let from = 0; from < text.length; ) {
    let to = Math.min(from + length, text.length);
    if (to < text.length && isHighSurrogate(text, to - 1)) to -= 1;
    yield text.slice(from, to).toWellFormed();
    from = to;
  }
}

/** Cuts bytes into pieces of at most `length`; they are views, not copies. */
export function* cutBytes(bytes: Uint8Array, length: number): Generator<Uint8Array, void, void> {
  for (let from = 0; from < bytes.length; from += length) yield bytes.subarray(from, from + length);
}

function isHighSurrogate(text: string, index: number): boolean {
  const unit = text.charCodeAt(index);
  return unit >= 0xd800 && unit <= 0xdbff;
}
