/** What failed, as one line on stderr, and the exit code for it. */
import { isErrorCode } from "../protocol/errors.ts";
import { CliError } from "./cli-error.ts";
import { EXIT, type ExitCode, exitCodeOfError } from "./exit-codes.ts";
import type { CliIo } from "./io.ts";
import { jsonLine, safeLine, safeText } from "./render/sanitize.ts";

/** Codes that the client gives to failures of its connection (`client/errors.ts`). */
const CONNECTION_CODES: ReadonlySet<string> = new Set(["CONNECTION_LOST", "SUPERSEDED", "SESSION_CLOSED"]);

const REMEDIES: Readonly<Record<string, string>> = {
  UNAUTHENTICATED:
    "check the token (LEASEHOLD_TOKEN or --token; `leasehold token create` makes one); where `leasehold dev` was started anew, it made another: run the command again",
  JOB_NOT_FOUND: "`leasehold jobs` lists the jobs you can see",
  DUPLICATE_KEY: "submit the same parameters, or choose another --key",
  CONNECTION_LOST: "check that the runtime is running and reachable at that URL",
  SUPERSEDED: "run the command again",
};

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly remedy: string | undefined;
  readonly exitCode: ExitCode;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

function exitCodeOf(code: string): ExitCode {
  if (CONNECTION_CODES.has(code)) return EXIT.unreachable;
  return isErrorCode(code) ? exitCodeOfError(code) : EXIT.failure;
}

function describe(error: unknown): Failure {
  if (error instanceof CliError) return error;
  if (!(error instanceof Error))
    return { code: "FAILED", message: String(error), remedy: undefined, exitCode: EXIT.failure };
  // Errors of the client and of the kernel alike carry a code of the error table.
  const code = "code" in error && typeof error.code === "string" ? error.code : "FAILED";
  return { code, message: error.message, remedy: REMEDIES[code], exitCode: exitCodeOf(code) };
}

/** Prints `leasehold: <what happened>: <what to do>`, with `--json` `{"error":{code,message,details?}}`; returns the exit code. */
export function reportFailure(error: unknown, io: CliIo, json: boolean): ExitCode {
  const { code, message, remedy, exitCode, details } = describe(error);
  const text = remedy === undefined ? message : `${message}: ${remedy}`;
  io.stderr.write(json ? jsonLine({ error: { code, message: text, details } }) : `leasehold: ${safeLine(text)}\n`);
  if (io.env.LEASEHOLD_DEBUG && error instanceof Error) io.stderr.write(`${safeText(error.stack ?? "")}\n`);
  return exitCode;
}
