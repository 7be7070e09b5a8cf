/**
 * Globs, as every namespace's patterns end up (`patterns.ts` has the grammar): text → tokens, and the matching of several
 * against a target. A token is a code point or a wildcard, and state `i` means that the tokens before `i` have matched.
 * Matching carries the set of all reachable states along the target, 32 to a word: no backtracking, at most
 * (tokens / 32 + 1) × (code points of the target) steps whatever the two are, with one token more for the end of each glob.
 */

/** `?`: one code point but `/`. Wildcards are negative, so that they are no code point. */
export const ONE = -1;
/** `*`: any code points but `/`. */
export const WITHIN = -2;
/** `**`: any code points. */
export const ACROSS = -3;
export const SLASH = 47;

const STAR = 42;
const QUESTION = 63;

/** Counts what matching and covering cost, so that it can be bounded and tested. */
export interface Effort {
  steps: number;
}

/** Two stars or more are one `**`, and `/**` segments in a row are one, so that no two stars are neighbours. */
export function parseGlob(text: string): Int32Array {
  const tokens: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0) as number;
    const before = tokens.at(-1);
    if (point === STAR) {
      if (before === WITHIN || before === ACROSS) tokens[tokens.length - 1] = ACROSS;
      else tokens.push(WITHIN);
      continue;
    }
    if (point === SLASH) dropRepeatedSegment(tokens);
    tokens.push(point === QUESTION ? ONE : point);
  }
  dropRepeatedSegment(tokens);
  return Int32Array.from(tokens);
}

/** `… / ** / **` with a segment's end to follow: the last two say what the two before them do. */
function dropRepeatedSegment(tokens: number[]): void {
  const [start, one, between, other] = tokens.slice(-4);
  if (start === SLASH && one === ACROSS && between === SLASH && other === ACROSS) tokens.length -= 2;
}

/** What every target begins with: the text before the first wildcard, without a `/` that a trailing `/**` does not ask for. */
export function plainPrefix(text: string): string {
  const wild = text.search(/[*?]/);
  if (wild === -1) return text;
  return text[wild - 1] === "/" ? text.slice(0, wild - 1) : text.slice(0, wild);
}

/** True at the `/` before a `**` and another `/`: the first one, once matched, can be all three. */
export function standsForThree(tokens: Int32Array, state: number): boolean {
  return tokens[state] === SLASH && tokens[state + 1] === ACROSS && tokens[state + 2] === SLASH;
}

/** True at the `/` of a trailing `/**`, unless the glob is that alone: both can be left out, for the directory itself. */
export function endsBefore(tokens: Int32Array, state: number): boolean {
  return state > 0 && state + 2 === tokens.length && tokens[state] === SLASH && tokens[state + 1] === ACROSS;
}

/** The text's code points; a surrogate without its other half is one of its own. */
export function codePointsOf(text: string): Int32Array {
  const points = new Int32Array(text.length);
  let count = 0;
  for (const character of text) points[count++] = character.codePointAt(0) as number;
  return points.subarray(0, count);
}

/** States as words and the bits in them: `[word, bits, word, bits, …]`, without words that have none. */
type Mask = Int32Array;

/** Globs one after the other, as one machine: many short ones cost no more than a long one. */
export class GlobMatcher {
  /** By glob. */
  readonly #starts: readonly number[];
  /** The states after the last token of a glob. */
  readonly #ends: Mask;
  readonly #literals: ReadonlyMap<number, Mask>;
  readonly #ones: Mask;
  readonly #across: Mask;
  readonly #stars: Mask;
  readonly #threes: Mask;
  readonly #endings: Mask;
  #now: Int32Array;
  #next: Int32Array;

  constructor(globs: readonly Int32Array[]) {
    const starts: number[] = [];
    const ends: number[] = [];
    const literals = new Map<number, number[]>();
    const ones: number[] = [];
    const across: number[] = [];
    const stars: number[] = [];
    const threes: number[] = [];
    const endings: number[] = [];
    let start = 0;
    for (const tokens of globs) {
      for (const [index, token] of tokens.entries()) {
        const state = start + index;
        if (token === ONE) addBit(ones, state);
        else if (token === WITHIN || token === ACROSS) addBit(stars, state);
        else {
          const bits = literals.get(token) ?? [];
          addBit(bits, state);
          literals.set(token, bits);
        }
        if (token === ACROSS) addBit(across, state);
        if (standsForThree(tokens, index)) addBit(threes, state);
        if (endsBefore(tokens, index)) addBit(endings, state);
      }
      starts.push(start);
      addBit(ends, start + tokens.length);
      start += tokens.length + 1;
    }
    this.#starts = starts;
    this.#ends = Int32Array.from(ends);
    this.#literals = new Map([...literals].map(([point, bits]) => [point, Int32Array.from(bits)]));
    this.#ones = Int32Array.from(ones);
    this.#across = Int32Array.from(across);
    this.#stars = Int32Array.from(stars);
    this.#threes = Int32Array.from(threes);
    this.#endings = Int32Array.from(endings);
    this.#now = new Int32Array((start + 31) >>> 5);
    this.#next = new Int32Array(this.#now.length);
  }

  /** @param points the whole target. @param globs those that are asked about, by their place. */
  matches(points: Int32Array, globs: readonly number[], effort?: Effort): boolean {
    this.#now.fill(0);
    for (const glob of globs) {
      const start = this.#starts[glob] as number;
      this.#now[start >>> 5] = (this.#now[start >>> 5] as number) | (1 << (start & 31));
    }
    this.#skip(this.#now);
    let steps = 0;
    let alive = true;
    for (let index = 0; alive && index < points.length; index++) {
      const point = points[index] as number;
      const now = this.#now;
      const next = this.#next.fill(0);
      steps += next.length;
      const literal = this.#literals.get(point);
      if (literal !== undefined) shift(literal, now, next, 1);
      if (point === SLASH) shift(this.#threes, now, next, 3);
      else shift(this.#ones, now, next, 1);
      shift(point === SLASH ? this.#across : this.#stars, now, next, 0);
      this.#skip(next);
      this.#next = now;
      this.#now = next;
      alive = next.some(isSet);
    }
    if (effort !== undefined) effort.steps += steps;
    return alive && this.#hasEnded(this.#now);
  }

  #hasEnded(states: Int32Array): boolean {
    const ends = this.#ends;
    for (let at = 0; at < ends.length; at += 2) {
      if (((states[ends[at] as number] as number) & (ends[at + 1] as number)) !== 0) return true;
    }
    return false;
  }

  /** Adds the states that are reached without a character. */
  #skip(states: Int32Array): void {
    shift(this.#stars, states, states, 1);
    shift(this.#endings, states, states, 2);
  }
}

const isSet = (word: number): boolean => word !== 0;

function addBit(mask: number[], state: number): void {
  const word = state >>> 5;
  if (mask.at(-2) !== word) mask.push(word, 0);
  mask[mask.length - 1] = (mask.at(-1) as number) | (1 << (state & 31));
}

/** Sets in `to` the states `by` (0 to 3) after those of the mask that are set in `from`. */
function shift(mask: Mask, from: Int32Array, to: Int32Array, by: number): void {
  for (let at = 0; at < mask.length; at += 2) {
    const word = mask[at] as number;
    const bits = (from[word] as number) & (mask[at + 1] as number);
    if (bits === 0) continue;
    to[word] = (to[word] as number) | (bits << by);
    const carry = by === 0 ? 0 : bits >>> (32 - by);
    if (carry !== 0) to[word + 1] = (to[word + 1] as number) | carry;
  }
}
