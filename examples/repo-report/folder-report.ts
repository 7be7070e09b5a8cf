/** What is known of one top folder after reading its files. JSON, since it is recorded as a step's value. */
import { join } from "node:path";
import { countFile, type Note } from "./count.ts";
import { languageOf } from "./languages.ts";

/** Files open at once. */
const CONCURRENCY = 16;
const LARGEST_KEPT = 10;
const NOTES_KEPT = 200;

export interface LanguageCount {
  readonly files: number;
  readonly lines: number;
  readonly bytes: number;
}

export interface FolderReport {
  readonly files: number;
  readonly lines: number;
  readonly bytes: number;
  readonly binaries: number;
  /** Files that could not be read. */
  readonly unreadable: number;
  readonly languages: Readonly<Record<string, LanguageCount>>;
  /** The largest first. */
  readonly largest: readonly { readonly path: string; readonly bytes: number }[];
  /** All that were found; `notes` holds the first of them. */
  readonly noteCount: number;
  readonly notes: readonly (Note & { readonly path: string })[];
}

const EMPTY_REPORT: FolderReport = {
  files: 0,
  lines: 0,
  bytes: 0,
  binaries: 0,
  unreadable: 0,
  languages: {},
  largest: [],
  noteCount: 0,
  notes: [],
};

/**
 * Reads `files` (relative to `root`), a few at a time.
 * @param counted called after each file.
 * @throws the signal's reason; unreadable files are counted, not thrown.
 */
export async function reportOn(
  root: string,
  files: readonly string[],
  signal: AbortSignal,
  counted: () => Promise<void>,
): Promise<FolderReport> {
  const reports: FolderReport[] = new Array(files.length);
  let next = 0;
  async function work(): Promise<void> {
    while (next < files.length) {
      signal.throwIfAborted();
      const index = next++;
      reports[index] = await reportOnFile(root, files[index] as string, signal);
      await counted();
    }
  }
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, files.length) }, work));
  return mergeReports(reports);
}

async function reportOnFile(root: string, path: string, signal: AbortSignal): Promise<FolderReport> {
  try {
    const { bytes, lines, binary, notes } = await countFile(join(root, path), signal);
    return {
      ...EMPTY_REPORT,
      files: 1,
      lines,
      bytes,
      binaries: binary ? 1 : 0,
      languages: binary ? {} : { [languageOf(path)]: { files: 1, lines, bytes } },
      largest: [{ path, bytes }],
      noteCount: notes.length,
      notes: notes.map((note) => ({ ...note, path })),
    };
  } catch {
    signal.throwIfAborted();
    return { ...EMPTY_REPORT, files: 1, unreadable: 1 };
  }
}

/** Adds reports up. The order of the notes is that of the reports. */
export function mergeReports(reports: readonly FolderReport[]): FolderReport {
  const sum = (of: (report: FolderReport) => number): number =>
    reports.reduce((total, report) => total + of(report), 0);
  const languages: Record<string, LanguageCount> = {};
  for (const report of reports) {
    for (const [language, count] of Object.entries(report.languages)) {
      const so = languages[language] ?? { files: 0, lines: 0, bytes: 0 };
      languages[language] = {
        files: so.files + count.files,
        lines: so.lines + count.lines,
        bytes: so.bytes + count.bytes,
      };
    }
  }
  return {
    files: sum((report) => report.files),
    lines: sum((report) => report.lines),
    bytes: sum((report) => report.bytes),
    binaries: sum((report) => report.binaries),
    unreadable: sum((report) => report.unreadable),
    languages,
    largest: reports
      .flatMap((report) => report.largest)
      .sort((a, b) => b.bytes - a.bytes || (a.path < b.path ? -1 : 1))
      .slice(0, LARGEST_KEPT),
    noteCount: sum((report) => report.noteCount),
    notes: reports.flatMap((report) => report.notes).slice(0, NOTES_KEPT),
  };
}
