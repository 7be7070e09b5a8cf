/**
 * Text from jobs, agents and servers is not ours: an escape sequence in a log message could move the cursor, change
 * the window's title or forge our own lines. Everything that comes from outside passes through here on its way out.
 */

/** Controls (C0, DEL, C1), lone surrogates, bidirectional overrides and Unicode's own line breaks. */
const UNSAFE = /[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/gu;
const UNSAFE_BUT_LINES = /(?![\n\t])[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/gu;

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function visible(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\t") return " ";
  const code = character.charCodeAt(0);
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, "0")}` : unicodeEscape(character);
}

/** One line that is safe to print: what is unsafe becomes visible, such as `\x1b`; line breaks become `\n`. */
export function safeLine(text: string): string {
  return text.replace(UNSAFE, visible);
}

/** Text that is safe to print and keeps its lines and tabs. */
export function safeText(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(UNSAFE_BUT_LINES, visible);
}

/** `value` as one line of JSON. Same value; what JSON allows and a terminal obeys (C1 controls) is written as escapes. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value).replace(UNSAFE, unicodeEscape)}\n`;
}
