/** Counts one file: its lines, and the notes its authors left themselves. */

/** A file with a NUL byte among its first bytes (64 KiB) is taken for binary. */
const NUL = 0;
const BYTES_SEARCHED_FOR_NUL = 65_536;
/** Longest part of a line that is looked at; minified files have lines of megabytes. */
const MAX_LINE_LENGTH = 2_000;
const MAX_NOTE_LENGTH = 120;
const NOTES_PER_FILE = 50;

/** After a comment sign, and in capitals: prose about to-do lists is not a note. */
const NOTE = /(?:\/\/|#|\/\*|\*|<!--|--|;)\s*(TODO|FIXME)\b[:\s(]?(.*)/;

export interface Note {
  readonly kind: "TODO" | "FIXME";
  readonly line: number;
  readonly text: string;
}

export interface FileCount {
  readonly bytes: number;
  /** 0 for a binary file. */
  readonly lines: number;
  readonly binary: boolean;
  readonly notes: readonly Note[];
}

export function countFile(content: Uint8Array): FileCount {
  const bytes = content.length;
  if (content.subarray(0, BYTES_SEARCHED_FOR_NUL).includes(NUL)) return { bytes, lines: 0, binary: true, notes: [] };

  const text = new TextDecoder().decode(content);
  const notes: Note[] = [];
  let lines = 0;
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf("\n", from);
    const next = end === -1 ? text.length : end + 1;
    lines += 1;
    const match =
      notes.length < NOTES_PER_FILE ? NOTE.exec(text.slice(from, Math.min(next, from + MAX_LINE_LENGTH))) : null;
    if (match !== null) {
      const note = (match[2] ?? "").trim().slice(0, MAX_NOTE_LENGTH);
      notes.push({ kind: match[1] as Note["kind"], line: lines, text: note.toWellFormed() });
    }
    from = next;
  }
  return { bytes, lines, binary: false, notes };
}
