/** The runtime's log as lines: JSON objects (`type: "log"`) for programs, short text for people. */
import type { Log } from "../platform/log.ts";
import type { Clock } from "../platform/world.ts";
import type { Output } from "./io.ts";
import { jsonLine, safeLine } from "./render/sanitize.ts";

const LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LEVELS)[number];
type Fields = Readonly<Record<string, unknown>>;

export interface LineLogOptions {
  readonly output: Output;
  readonly clock: Clock;
  readonly json: boolean;
  /** Lines below it are dropped. */
  readonly from: LogLevel;
}

/** An error says what it is; JSON would make it `{}`. */
function plain(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  return { name, message, stack, ...(cause === undefined ? {} : { cause: plain(cause) }) };
}

function fieldText([name, value]: [string, unknown]): string {
  const text = value instanceof Error ? value.message : value;
  return `${name}=${typeof text === "string" ? text : JSON.stringify(text)}`;
}

export function createLineLog({ output, clock, json, from }: LineLogOptions): Log {
  function write(level: LogLevel, fields: Fields, message: string): void {
    const entries = Object.entries(fields);
    const line = json
      ? jsonLine({
          type: "log",
          level,
          time: new Date(clock.now()).toISOString(),
          message,
          ...Object.fromEntries(entries.map(([name, value]) => [name, plain(value)])),
        })
      : `${safeLine([level, message, ...entries.map(fieldText)].join(" "))}\n`;
    output.write(line);
  }
  const at = (level: LogLevel) =>
    LEVELS.indexOf(level) < LEVELS.indexOf(from)
      ? () => {}
      : (fields: Fields, message: string) => write(level, fields, message);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
