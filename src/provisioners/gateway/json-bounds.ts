/**
 * Whether JSON is worth parsing, told in one pass over its bytes: parsing blocks everybody, longest for what nests deep and
 * for very many small values. Texts, which are what long requests consist of, are skipped.
 */

/** Deeper than any request. */
export const MAX_NESTING = 64;
/** Values in all: more tokens than a service takes as numbers. */
export const MAX_VALUES = 524_288;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
/** `[`, `]`, `{` and `}` with the bit that tells square from curly set. */
const OPENING = 0x7b;
const CLOSING = 0x7d;
const CURLY = 0x20;

/** As a phrase that completes "the body …"; undefined when it may be parsed. */
export function findJsonProblem(bytes: Buffer): string | undefined {
  let depth = 0;
  let values = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) at = endOfString(bytes, at);
    else if ((byte | CURLY) === OPENING) {
      if (++depth > MAX_NESTING) return `must not be nested deeper than ${MAX_NESTING} times`;
      values++;
    } else if ((byte | CURLY) === CLOSING) depth--;
    else if (byte === COMMA) values++;
    if (values > MAX_VALUES) return `must not have more than ${MAX_VALUES} values`;
  }
  return undefined;
}

/** Where the string that begins at `from` ends. */
function endOfString(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(QUOTE, from + 1); at >= 0; at = bytes.indexOf(QUOTE, at + 1)) {
    let escapes = at;
    while (bytes[escapes - 1] === BACKSLASH) escapes--;
    if ((at - escapes) % 2 === 0) return at;
  }
  return bytes.length;
}
