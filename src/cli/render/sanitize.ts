/**
 * Text from jobs, agents and servers is not ours: an escape sequence in a log message could move the cursor, change
 * the window's title or forge our own lines. Everything that comes from outside passes through here on its way out.
 */

/**
 * Controls (C0, DEL, C1), lone surrogates, Unicode's own line breaks, and whatever has no shape of its own: overrides of
 * direction, zero-width characters, tags. What picks an emoji's look (U+FE0E, U+FE0F) may stay.
 */
const UNSAFE = /[[\p{Cc}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029\ufff9-\ufffb]--[\ufe0e\ufe0f]]/gv;
const UNSAFE_BUT_LINES =
  /[[\p{Cc}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029\ufff9-\ufffb]--[\ufe0e\ufe0f\n\t]]/gv;
/** What joins emoji to one. */
const JOINERS = /(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f])\u200d(?=\p{Extended_Pictographic})/gv;

/** As JSON writes it, so that what `jsonLine` prints reads as the same value. */
function unicodeEscape(character: string): string {
  let escaped = "";
  for (let index = 0; index < character.length; index++) {
    escaped += `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
  }
  return escaped;
}

function visible(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\t") return " ";
  const code = character.codePointAt(0) ?? 0;
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code <= 0xffff ? unicodeEscape(character) : `\\u{${code.toString(16)}}`;
}

/**
 * One line that is safe to print: what is unsafe becomes visible, such as `\x1b`; line breaks become `\n`. Joined
 * emoji come apart.
 */
export function safeLine(text: string): string {
  return text.replace(JOINERS, "").replace(UNSAFE, visible);
}

/** Text that is safe to print and keeps its lines and tabs. */
export function safeText(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(JOINERS, "").replace(UNSAFE_BUT_LINES, visible);
}

/** `value` as one line of JSON. Same value; what JSON allows and a terminal obeys or does not show is written as escapes. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value).replace(UNSAFE, unicodeEscape)}\n`;
}
