/** `leasehold version` */
import { LEASEHOLD_VERSION } from "../../server/version.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { jsonLine } from "../render/sanitize.ts";

export function version(options: { readonly json?: boolean }, io: CliIo): ExitCode {
  const fields = { version: LEASEHOLD_VERSION, node: process.versions.node };
  io.stdout.write(options.json ? jsonLine(fields) : `${LEASEHOLD_VERSION}\n`);
  return EXIT.ok;
}
