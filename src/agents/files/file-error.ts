/** What goes wrong with files, told by the path that the agent asked for and no other. */
import { CodedError } from "../../protocol/errors.ts";

/**
 * The system's error as Node tells it (`code` such as `ENOENT`, `errno`, `syscall`, `path`), worded anew: Node's own text
 * names the way the file was opened by. Errors that carry a code of the table stay as they are.
 */
export function toFileError(error: unknown, tool: string, path: string): unknown {
  if (!(error instanceof Error) || error instanceof CodedError || !("code" in error)) return error;
  const [what = error.code] = error.message.split(", ", 1);
  const { code, errno, syscall } = error as NodeJS.ErrnoException;
  return Object.assign(new Error(`${what}, ${tool} '${path}'`), { code, errno, syscall, path });
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}

/**
 * A refusal that names the place a path leads to, told by the path itself: where links lead is not for those to know who
 * may not follow them.
 */
export function hideTarget(refusal: unknown, path: string): unknown {
  if (!(refusal instanceof CodedError) || refusal.details?.target === undefined) return refusal;
  const { code, retryable, details } = refusal;
  const what = code === "PERMISSION_DENIED" ? "the lease does not cover where this path leads" : `refused (${code})`;
  return new CodedError(code, `${String(details.capability)} on ${path}: ${what}`, {
    retryable,
    details: { ...details, target: path },
  });
}
