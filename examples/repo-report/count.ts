/** Reads one file as a stream: its size, its lines, and the notes its authors left themselves. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";

/** A file with a NUL byte in its first chunk (64 KiB) is taken for binary, and read no further. */
const NUL = 0;
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

/** @throws the error of reading, or the signal's reason. */
export async function countFile(path: string, signal: AbortSignal): Promise<FileCount> {
  const decoder = new TextDecoder();
  const notes: Note[] = [];
  let bytes = 0;
  let line = 1;
  let pending = "";
  let endsInBreak = true;

  const look = (text: string): void => {
    const match = notes.length < NOTES_PER_FILE ? NOTE.exec(text) : null;
    if (match === null) return;
    const note = (match[2] ?? "").trim().slice(0, MAX_NOTE_LENGTH);
    notes.push({ kind: match[1] as Note["kind"], line, text: note.toWellFormed() });
  };

  for await (const chunk of createReadStream(path, { signal }) as AsyncIterable<Buffer>) {
    if (bytes === 0 && chunk.includes(NUL))
      return { bytes: (await stat(path)).size, lines: 0, binary: true, notes: [] };
    bytes += chunk.length;
    endsInBreak = chunk.at(-1) === 10;
    const parts = decoder.decode(chunk, { stream: true }).split("\n");
    for (let index = 0; index < parts.length - 1; index++) {
      look((pending + parts[index]).slice(0, MAX_LINE_LENGTH));
      pending = "";
      line += 1;
    }
    pending = (pending + parts.at(-1)).slice(0, MAX_LINE_LENGTH);
  }
  look(pending);
  return { bytes, lines: endsInBreak ? line - 1 : line, binary: false, notes };
}
