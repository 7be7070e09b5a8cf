/** What is known of some files after reading them. JSON, since it is recorded as a step's value. */
import { join } from "node:path";
import type { AgentContext } from "leasehold";
import { countFile, type Note } from "./count.ts";
import { type Manifest, readManifest } from "./dependencies.ts";
import { languageOf } from "./languages.ts";
import { isOver, isTooLarge } from "./refusal.ts";

/** Files read at a time. With `MAX_FILE_BYTES` it bounds what is held in memory. */
const CONCURRENCY = 8;
/** Of a larger file, in bytes, only the size is known. */
const MAX_FILE_BYTES = 8_388_608;
const LARGEST_KEPT = 10;
const NOTES_KEPT = 200;
const MANIFESTS_KEPT = 100;

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
  /** Files of which only the size is known. */
  readonly tooLarge: number;
  readonly languages: Readonly<Record<string, LanguageCount>>;
  /** The largest first. */
  readonly largest: readonly { readonly path: string; readonly bytes: number }[];
  /** All that were found; `notes` holds the first of them. */
  readonly noteCount: number;
  readonly notes: readonly (Note & { readonly path: string })[];
  readonly manifests: readonly Manifest[];
}

const EMPTY_REPORT: FolderReport = {
  files: 0,
  lines: 0,
  bytes: 0,
  binaries: 0,
  unreadable: 0,
  tooLarge: 0,
  languages: {},
  largest: [],
  noteCount: 0,
  notes: [],
  manifests: [],
};

/**
 * Reads `files` (relative to `root`), a few at a time.
 * @throws when the job is over, or its lease; unreadable files are counted, not thrown.
 */
export async function reportOn(
  { fs, signal }: AgentContext,
  root: string,
  files: readonly string[],
): Promise<FolderReport> {
  const reports: FolderReport[] = new Array(files.length);
  let next = 0;
  async function work(): Promise<void> {
    while (next < files.length) {
      signal.throwIfAborted();
      const index = next++;
      reports[index] = await reportOnFile(fs, root, files[index] as string);
    }
  }
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, files.length) }, work));
  return mergeReports(reports);
}

async function reportOnFile(fs: AgentContext["fs"], root: string, path: string): Promise<FolderReport> {
  try {
    const content = await fs.read(join(root, path), { maxBytes: MAX_FILE_BYTES });
    const { bytes, lines, binary, notes } = countFile(content);
    const manifest = readManifest(path, content);
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
      manifests: manifest === undefined ? [] : [manifest],
    };
  } catch (error) {
    if (isOver(error)) throw error;
    return isTooLarge(error) ? await reportOnSize(fs, root, path) : { ...EMPTY_REPORT, files: 1, unreadable: 1 };
  }
}

async function reportOnSize(fs: AgentContext["fs"], root: string, path: string): Promise<FolderReport> {
  const bytes = (await fs.stat(join(root, path)))?.size ?? 0;
  return { ...EMPTY_REPORT, files: 1, bytes, tooLarge: 1, largest: [{ path, bytes }] };
}

/** Adds reports up. The order of notes and manifests is that of the reports. */
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
    tooLarge: sum((report) => report.tooLarge),
    languages,
    largest: reports
      .flatMap((report) => report.largest)
      .sort((a, b) => b.bytes - a.bytes || (a.path < b.path ? -1 : 1))
      .slice(0, LARGEST_KEPT),
    noteCount: sum((report) => report.noteCount),
    notes: reports.flatMap((report) => report.notes).slice(0, NOTES_KEPT),
    manifests: reports.flatMap((report) => report.manifests).slice(0, MANIFESTS_KEPT),
  };
}
