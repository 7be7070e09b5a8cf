/** Log lines for operators: JSON on standard error, one object a line. */
import { pino } from "pino";
import type { Log } from "../platform/log.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Written synchronously, so that the last lines before an end of the process are there. Default level: `info`. */
export function createOperatorLog(level: LogLevel = "info"): Log {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }));
}
