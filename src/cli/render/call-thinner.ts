/** Which tool calls are worth a line: an agent that reads a thousand files would bury everything else it tells. */

/** Calls of one tool in one job that are shown one by one; of further ones, those that fail. */
const CALLS_SHOWN = 10;
/** Tools that are counted; calls of any more are all shown. */
const MAX_TOOLS = 256;

/** @returns for each call of a tool, in order: whether it is shown, the first that is not, or a further one. */
export function createCallThinner(): (tool: string) => "shown" | "first left out" | "left out" {
  const calls = new Map<string, number>();
  return (tool) => {
    const count = (calls.get(tool) ?? 0) + 1;
    if (count > 1 || calls.size < MAX_TOOLS) calls.set(tool, count);
    if (count <= CALLS_SHOWN) return "shown";
    return count === CALLS_SHOWN + 1 ? "first left out" : "left out";
  };
}
