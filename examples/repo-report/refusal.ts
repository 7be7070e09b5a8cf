/** Which failures of one file concern that file alone. */

const OVER: ReadonlySet<unknown> = new Set(["LEASE_EXPIRED", "BUDGET_EXHAUSTED", "CANCELLED", "TIMEOUT"]);

/** Whether nothing more will be allowed to this job, whatever it asks for. */
export function isOver(error: unknown): boolean {
  return error instanceof Error && "code" in error && OVER.has(error.code);
}

export function isTooLarge(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "INVALID_REQUEST";
}
