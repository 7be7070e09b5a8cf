/**
 * How deep JSON nests. Of long text it is told before it is parsed: for a megabyte of brackets the parser takes a quarter
 * of a second.
 */

/** Shorter text, in UTF-16 units, is parsed in some milliseconds, whatever it is. */
export const SHORT_TEXT = 16_384;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** `[`, `]`, `{` and `}` with the bit that tells square from curly set. */
const OPENING = 0x7b;
const CLOSING = 0x7d;
const CURLY = 0x20;

/** Where the string that begins at `from` ends. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let escapes = at;
    while (text.charCodeAt(escapes - 1) === BACKSLASH) escapes--;
    if ((at - escapes) % 2 === 0) return at;
  }
  return text.length;
}

/**
 * What is left of long JSON text when the first value that nests deeper than `levels` is replaced by 0, and what follows
 * it is left out: enough to tell whose it is. Undefined when nothing nests deeper, and for short text, unseen.
 */
export function cutDeepText(text: string, levels: number): string | undefined {
  if (text.length <= SHORT_TEXT) return undefined;
  const closers: string[] = [];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if ((code | CURLY) === OPENING) {
      if (closers.length === levels) return `${text.slice(0, at)}0${closers.reverse().join("")}`;
      closers.push(code === OPENING ? "}" : "]");
    } else if ((code | CURLY) === CLOSING) closers.pop();
  }
  return undefined;
}

/** Whether a parsed value nests deeper than `levels`, its own level among them. Looks no deeper than that. */
export function nestsDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  for (const inner of Object.values(value)) if (nestsDeeper(inner, levels - 1)) return true;
  return false;
}
