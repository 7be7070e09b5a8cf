/** A failure as the command reports it: what happened, what to do about it, and the exit code. */
import { EXIT, type ExitCode } from "./exit-codes.ts";

export class CliError extends Error {
  override readonly name: string = "CliError";
  /** A code of the protocol's error table, or one of ours: `USAGE`, `NO_CONNECTION`, `PORT_TAKEN`, `FAILED`, … */
  readonly code: string;
  readonly remedy: string | undefined;
  readonly exitCode: ExitCode;
  /** For programs: goes out with `--json`. */
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(
    code: string,
    message: string,
    options: {
      remedy?: string | undefined;
      exitCode?: ExitCode;
      details?: Readonly<Record<string, unknown>>;
      cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy;
    this.exitCode = options.exitCode ?? EXIT.failure;
    this.details = options.details;
  }
}

/** The command line is wrong. `remedy` says how it would be right. */
export function usageError(message: string, remedy?: string): CliError {
  return new CliError("USAGE", message, { remedy });
}
