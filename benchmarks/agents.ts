/** What the benchmarks run: as little work as an agent can do, so that what is measured is the runtime. */
import { setTimeout } from "node:timers/promises";
import { type AgentContext, AgentError, defineAgent } from "leasehold";

const KINDS = ["mixed", "log", "progress"] as const;

interface ChattyInput {
  /** How many events; a whole number. */
  readonly n: number;
  readonly kind: (typeof KINDS)[number];
  /** Milliseconds before the first event, so that others can subscribe meanwhile. */
  readonly startAfterMs: number;
}

/** Returns its input. */
const echo = defineAgent({ name: "echo", version: "1.0.0", run: (_ctx, input) => input });

/** Awaits `n` small events, and returns how many those were. */
const chatty = defineAgent({
  name: "chatty",
  version: "1.0.0",
  async run(ctx, input) {
    const { n, kind, startAfterMs } = readInput(input);
    if (startAfterMs > 0) await setTimeout(startAfterMs);
    for (let index = 0; index < n; index++) await emit(ctx, kind, index, n);
    return { emitted: n };
  },
});

function emit(ctx: AgentContext, kind: ChattyInput["kind"], index: number, total: number): Promise<void> {
  if (kind === "log" || (kind === "mixed" && index % 4 < 2)) return ctx.log(`line ${index} of a job that talks a lot`);
  if (kind === "progress" || index % 4 === 2) return ctx.progress({ current: index, total, units: "events" });
  return ctx.metric({ name: "chatty.events", value: index, unit: "events" });
}

/** By hand: a schema library's time is no part of what is measured. */
function readInput(input: unknown): ChattyInput {
  const { n, kind = "mixed", startAfterMs = 0 } = (input ?? {}) as Partial<ChattyInput>;
  if (n === undefined || !Number.isSafeInteger(n) || n < 0) throw refused("n", "must be a whole number");
  if (!KINDS.includes(kind)) throw refused("kind", `must be one of ${KINDS.join(", ")}`);
  if (typeof startAfterMs !== "number") throw refused("startAfterMs", "must be a number");
  return { n, kind, startAfterMs };
}

function refused(field: string, problem: string): AgentError {
  return new AgentError({
    code: "INVALID_REQUEST",
    message: `input.${field} ${problem}`,
    details: { field: `input.${field}` },
  });
}

export const agents = [echo, chatty] as const;
