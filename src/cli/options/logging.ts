/** How a runtime's log is written: `--log-format` and `--log-level`. */
import type { Log } from "../../platform/log.ts";
import { usageError } from "../cli-error.ts";
import type { CliIo } from "../io.ts";
import { createLineLog, LOG_LEVELS, type LogLevel } from "../line-log.ts";

export interface LoggingOptions {
  readonly logFormat?: string;
  readonly logLevel?: string;
  readonly json?: boolean;
}

const FORMATS = ["json", "text"];

/**
 * The log of a process that serves, on standard error. Its format is that of standard output unless it is named.
 * @param usual the level where none is named.
 * @throws CliError USAGE.
 */
export function openLog({ logFormat, logLevel, json = false }: LoggingOptions, usual: LogLevel, io: CliIo): Log {
  if (logFormat !== undefined && !FORMATS.includes(logFormat)) {
    throw usageError(`--log-format is "${logFormat}"`, `write one of ${FORMATS.join(", ")}`);
  }
  const from = logLevel === undefined ? usual : LOG_LEVELS.find((level) => level === logLevel);
  if (from === undefined) {
    throw usageError(`--log-level is "${logLevel}"`, `write one of ${LOG_LEVELS.join(", ")}`);
  }
  return createLineLog({
    output: io.stderr,
    clock: io.world.clock,
    json: logFormat === undefined ? json : logFormat === "json",
    from,
  });
}
