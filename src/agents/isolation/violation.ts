/** What an agent's process must not send: only one that was tampered with does. It ends the job, and the process. */
export class Violation extends Error {
  override readonly name: string = "Violation";
}

export type Members = Readonly<Record<string, unknown>>;

export function membersOf(value: unknown, what: string): Members {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Violation(`${what} must be an object`);
  return value as Members;
}

export function requireText(value: unknown, what: string): string {
  if (typeof value !== "string") throw new Violation(`${what} must be a string`);
  return value;
}

export function requireOptionalText(value: unknown, what: string): string | undefined {
  return value === undefined ? undefined : requireText(value, what);
}
