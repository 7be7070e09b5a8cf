/** `leasehold init`: a small project that works at once. Asks nothing, and overwrites nothing. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { LEASEHOLD_VERSION } from "../../server/version.ts";
import { CliError } from "../cli-error.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { projectFiles } from "../new-project.ts";
import { jsonLine, safeLine } from "../render/sanitize.ts";

export interface InitOptions {
  readonly force?: boolean;
  readonly json?: boolean;
}

/** May be there before: a repository is often made first. */
const IGNORED = [".git"];

/** A name that npm takes, from that of the directory. */
function projectName(directory: string): string {
  const name = basename(directory)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replaceAll(/^[._-]+|[._-]+$/g, "")
    .slice(0, 200);
  // Its own name npm would not install below itself.
  return ["", "leasehold", "node_modules"].includes(name) ? "leasehold-agents" : name;
}

function unusable(directory: string, error: unknown): CliError {
  const { message } = error as Error;
  return new CliError("DIRECTORY_UNUSABLE", `no project can be made in ${directory}: ${message}`, { cause: error });
}

/** With its parents. (Node's own way of doing that never ends below `/proc`.) */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || dirname(path) === path) throw error;
    await makeDirectory(dirname(path));
    await mkdir(path);
  }
}

/** Writes the file unless there is one of its name. Returns whether it did. */
async function create(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

export async function init(directoryArgument: string, options: InitOptions, io: CliIo): Promise<ExitCode> {
  const directory = resolve(io.cwd, directoryArgument);
  const created: string[] = [];
  const kept: string[] = [];
  try {
    await makeDirectory(directory);
    const there = (await readdir(directory)).filter((name) => !IGNORED.includes(name));
    if (there.length > 0 && options.force !== true) {
      throw new CliError(
        "NOT_EMPTY",
        `${directoryArgument === "." ? "this directory" : directoryArgument} is not empty`,
        {
          remedy: "name a new one, or add what is missing to this one with --force, which overwrites nothing",
        },
      );
    }
    for (const [name, text] of projectFiles({ name: projectName(directory), version: LEASEHOLD_VERSION })) {
      ((await create(join(directory, name), text)) ? created : kept).push(name);
    }
  } catch (error) {
    throw error instanceof CliError ? error : unusable(directoryArgument, error);
  }
  if (options.json) {
    io.stdout.write(jsonLine({ directory, created, kept }));
    return EXIT.ok;
  }
  const write = (line: string): void => io.stdout.write(`${safeLine(line)}\n`);
  for (const name of created) write(`made ${name}`);
  for (const name of kept) write(`kept ${name}, which was there`);
  if (created.length === 0) return EXIT.ok;
  const way = relative(io.cwd, directory);
  write("");
  write("Next:");
  if (way !== "") write(`  cd ${/^[\w./-]+$/.test(way) ? way : `'${way.replaceAll("'", "'\\''")}'`}`);
  write(kept.includes("package.json") ? `  npm install leasehold@${LEASEHOLD_VERSION}` : "  npm install");
  write("  npx leasehold dev");
  return EXIT.ok;
}
