/** Structured log lines for operators. The command writes them to standard error; tests collect or drop them. */

type Fields = Readonly<Record<string, unknown>>;

/** Fields never hold secrets: no token, no credential value, no payload of a job. */
export interface Log {
  debug(fields: Fields, message: string): void;
  info(fields: Fields, message: string): void;
  warn(fields: Fields, message: string): void;
  error(fields: Fields, message: string): void;
}

const drop = (): void => {};

/** Drops every line. */
export const silentLog: Log = { debug: drop, info: drop, warn: drop, error: drop };
