/** How many columns text takes on a terminal: never less than it really does, so that what fits by this fits. */

const ZERO = /[\p{Mn}\p{Me}\p{Cf}]/u;
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Extended_Pictographic}\u3000-\u303f\uff00-\uff60\uffe0-\uffe6]/u;
const ASCII = /^[ -~]*$/;

function characterWidth(character: string): number {
  if (WIDE.test(character)) return 2;
  return ZERO.test(character) ? 0 : 1;
}

/** Columns of `text`, which holds no escape sequences and no line breaks. */
export function displayWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** The longest beginning of `text` that takes at most `width` columns. */
function beginning(text: string, width: number): string {
  let used = 0;
  let end = 0;
  for (const character of text) {
    used += characterWidth(character);
    if (used > width) break;
    end += character.length;
  }
  return text.slice(0, end);
}

/** `text`, cut to `width` columns; an ellipsis says that something is missing. */
export function cut(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  return width < 1 ? "" : `${beginning(text, width - 1)}…`;
}

/** `text` followed by spaces up to `width` columns. */
export function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

/** `text` as lines of at most `width` columns (at least 2), broken at spaces where there are any. */
export function wrap(text: string, width: number): readonly string[] {
  if (width === Number.POSITIVE_INFINITY) return [text];
  const lines: string[] = [];
  let rest = text;
  for (;;) {
    const fitting = beginning(rest, Math.max(2, width));
    if (fitting.length === rest.length) return [...lines, rest];
    const space = rest[fitting.length] === " " ? fitting.length : fitting.lastIndexOf(" ");
    const end = space > 0 ? space : fitting.length;
    lines.push(rest.slice(0, end).replace(/ +$/, ""));
    rest = rest.slice(end).replace(/^ +/, "");
  }
}
