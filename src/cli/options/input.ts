/** JSON given on the command line: as it is, from a file (`@path`), or from standard input (`-`). */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { CliError, usageError } from "../cli-error.ts";
import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";

async function readAll(source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

async function readText(path: string, io: CliIo): Promise<string> {
  try {
    return await readFile(resolve(io.cwd, path), "utf8");
  } catch (cause) {
    throw new CliError("FILE_UNREADABLE", `${path} cannot be read`, {
      remedy: "check that it exists and that you may read it",
      exitCode: EXIT.failure,
      cause,
    });
  }
}

/**
 * @param what names the value in errors, such as `the input`. @param example JSON that would do.
 * @throws CliError USAGE when it is not JSON, FILE_UNREADABLE when the file cannot be read.
 */
export async function readJson(argument: string, what: string, io: CliIo, example = '{"path":"."}'): Promise<unknown> {
  const [source, text] =
    argument === "-"
      ? ["standard input", await readAll(io.stdin)]
      : argument.startsWith("@")
        ? [argument.slice(1), await readText(argument.slice(1), io)]
        : ["the argument", argument];
  try {
    return JSON.parse(text);
  } catch {
    throw usageError(`${what} is not JSON (from ${source})`, `write JSON such as '${example}', @file.json, or -`);
  }
}
