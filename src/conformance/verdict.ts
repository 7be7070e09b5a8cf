/** How a case ends when it does not simply return: what it looked for is not so, or it never got to look. */

/** The requirement is not kept. */
export class Unmet extends Error {
  override readonly name = "Unmet";
}

/** What the case needs first did not happen, so that nothing can be said of its requirement. */
export class NotReached extends Error {
  override readonly name = "NotReached";
}

/** @throws Unmet with `problem` unless it holds. */
export function check(holds: boolean, problem: string | (() => string)): asserts holds {
  if (!holds) throw new Unmet(typeof problem === "string" ? problem : problem());
}

/** @throws Unmet that shows both, unless they are the same JSON. Keys may come in any order. */
export function checkEqual(actual: unknown, expected: unknown, what: string): void {
  const [shown, wanted] = [canonical(actual), canonical(expected)];
  if (shown !== wanted) throw new Unmet(`${what} is ${brief(shown)}, not ${brief(wanted)}`);
}

/** The preparations of a case: whatever fails in them says nothing about its requirement. */
export async function prepare<Value>(what: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof NotReached) throw error;
    throw new NotReached(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Longest text quoted in a problem. */
const SHOWN_LENGTH = 300;

function brief(text: string): string {
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
}

function canonical(value: unknown): string {
  const sorted = (_key: string, inner: unknown): unknown =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner;
  return JSON.stringify(value, sorted) ?? "absent";
}
