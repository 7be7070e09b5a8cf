/** The runtime's log as lines: JSON objects (`type: "log"`) for programs, short text for people. */
import type { Log } from "../platform/log.ts";
import type { Clock } from "../platform/world.ts";
import type { Output } from "./io.ts";
import { redactField, redactText } from "./log-redaction.ts";
import { jsonLine, safeLine } from "./render/sanitize.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
type Fields = Readonly<Record<string, unknown>>;

export interface LineLogOptions {
  readonly output: Output;
  readonly clock: Clock;
  readonly json: boolean;
  /** Lines below it are dropped. */
  readonly from: LogLevel;
}

/** For people: of an error, what it says. */
function fieldText([name, value]: [string, unknown]): string {
  const told = redactField(name, value instanceof Error ? value.message : value);
  return `${name}=${typeof told === "string" ? told : JSON.stringify(told)}`;
}

export function createLineLog({ output, clock, json, from }: LineLogOptions): Log {
  function write(level: LogLevel, fields: Fields, message: string): void {
    const entries = Object.entries(fields);
    const line = json
      ? jsonLine({
          type: "log",
          level,
          time: new Date(clock.now()).toISOString(),
          message: redactText(message),
          ...Object.fromEntries(entries.map(([name, value]) => [name, redactField(name, value)])),
        })
      : `${safeLine([level, redactText(message), ...entries.map(fieldText)].join(" "))}\n`;
    output.write(line);
  }
  const at = (level: LogLevel) =>
    LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(from)
      ? () => {}
      : (fields: Fields, message: string) => write(level, fields, message);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
