/** One run of the command: arguments in, exit code out. Never throws. */
import { CommanderError } from "commander";
import { usageError } from "./cli-error.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import type { CliIo } from "./io.ts";
import { createProgram } from "./program.ts";
import { reportFailure } from "./report-failure.ts";

function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).includes("--json");
}

/** @param argv the arguments alone, without node and script. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<ExitCode> {
  const [first, ...rest] = argv;
  const words = first === "--version" || first === "-V" ? ["version", ...rest] : argv;
  let exitCode: ExitCode = EXIT.ok;
  const program = createProgram(io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(words, { from: "user" });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportFailure(error, io, wantsJson(argv));
    // Help was asked for (0), or shown because no command was named.
    if (error.code === "commander.helpDisplayed") return EXIT.ok;
    if (error.code === "commander.help") return EXIT.failure;
    const message = error.message.replace(/^error: /, "").replace("\n", " ");
    return reportFailure(usageError(message, "see `leasehold --help`"), io, wantsJson(argv));
  }
}
