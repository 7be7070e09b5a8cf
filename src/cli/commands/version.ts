/** `leasehold version` */
import { readFile } from "node:fs/promises";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { jsonLine } from "../render/sanitize.ts";

/** Two folders up from `src/cli` and from `dist/cli` alike. */
const PACKAGE_FILE = new URL("../../../package.json", import.meta.url);

async function readVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(PACKAGE_FILE, "utf8")) as { readonly version: string };
  return version;
}

export async function version(options: { readonly json?: boolean }, io: CliIo): Promise<ExitCode> {
  const own = await readVersion();
  io.stdout.write(options.json ? jsonLine({ version: own, node: process.versions.node }) : `${own}\n`);
  return EXIT.ok;
}
