/** The report as Markdown, a section at a time. */
import type { Manifest } from "./dependencies.ts";
import type { FolderReport } from "./folder-report.ts";

export interface Findings {
  readonly title: string;
  readonly total: FolderReport;
  readonly folders: readonly { readonly name: string; readonly report: FolderReport }[];
  readonly unreadableFolders: readonly string[];
  /** What kept some files from being read; undefined when there were none. */
  readonly bound: "maxFiles" | "credits" | undefined;
}

const NOTES_SHOWN = 50;

export function* renderReport(findings: Findings): Generator<string> {
  const { total } = findings;
  yield `# ${inline(findings.title)}\n\n${summarise(total)}.\n`;
  if (findings.bound === "maxFiles") yield "\n> There are more files than `maxFiles`: the rest was not read.\n";
  if (findings.bound === "credits")
    yield "\n> There are more files than the credits last for: the rest was not read.\n";
  if (total.unreadable + findings.unreadableFolders.length > 0) {
    yield `\n> Not readable: ${number(total.unreadable)} files, ${number(findings.unreadableFolders.length)} folders.\n`;
  }
  if (total.tooLarge > 0) yield `\n> Counted by size only, being too large to read: ${number(total.tooLarge)} files.\n`;

  const languages = Object.entries(total.languages).sort(([, a], [, b]) => b.lines - a.lines || b.files - a.files);
  yield section(
    "Languages",
    table(
      ["language", "files", "lines"],
      languages.map(([name, { files, lines }]) => [name, number(files), number(lines)]),
    ),
  );
  yield section(
    "Folders",
    table(
      ["folder", "files", "lines", "size"],
      findings.folders.map(({ name, report }) => [
        code(name),
        number(report.files),
        number(report.lines),
        size(report.bytes),
      ]),
    ),
  );
  yield section(
    "Largest files",
    table(
      ["file", "size"],
      total.largest.map(({ path, bytes }) => [code(path), size(bytes)]),
    ),
  );
  yield section("TODO and FIXME", renderNotes(total));
  yield section("Declared dependencies", total.manifests.map(renderManifest).join(""));
}

export function summarise({ files, lines, bytes, noteCount }: FolderReport): string {
  return `${number(files)} files, ${number(lines)} lines, ${size(bytes)}, ${number(noteCount)} TODOs and FIXMEs`;
}

function renderNotes({ notes, noteCount }: FolderReport): string {
  const lines = notes
    .slice(0, NOTES_SHOWN)
    .map((note) => `- ${code(`${note.path}:${note.line}`)} ${note.kind} ${inline(note.text)}`.trimEnd());
  const more = noteCount > lines.length ? [`- and ${number(noteCount - lines.length)} more`] : [];
  return [...lines, ...more].map((line) => `${line}\n`).join("");
}

function renderManifest({ path, dependencies, problem }: Manifest): string {
  const said = problem === undefined ? dependencies.map(code).join(", ") || "none" : `not readable: ${inline(problem)}`;
  return `- ${code(path)} (${dependencies.length}): ${said}\n`;
}

function section(title: string, body: string): string {
  return `\n## ${title}\n\n${body === "" ? "None.\n" : body}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
  return line(head) + line(head.map((_, index) => (index === 0 ? "---" : "---:"))) + rows.map(line).join("");
}

/** Names and comments come out of files: nothing in them may change the report's form. */
function inline(text: string): string {
  return text.replace(/[\r\n]+/g, " ").replace(/[\\`*_[\]<>|]/g, "\\$&");
}

function code(text: string): string {
  return `\`${text.replace(/[\r\n`]+/g, " ").replaceAll("|", "\\|")}\``;
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}

function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}
