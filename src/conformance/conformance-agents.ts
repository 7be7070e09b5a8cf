/** Our own agents for the suite: `leasehold serve --conformance-agents` offers them. */
import type { AgentContext } from "../agents/agent-context.ts";
import { type AgentDefinition, defineAgent } from "../agents/define-agent.ts";
import type { Timers } from "../platform/world.ts";
import { DEFAULT_AGENTS } from "./agent-roles.ts";

const DEFAULT_LINES = 3;
const MOST_LINES = 10_000;
const DEFAULT_EVERY_MS = 20;
/** A `slow` job that nobody stops ends by itself. */
const LONGEST_MS = 600_000;
const DEFAULT_BYTES = 1_000;
const MOST_BYTES = 1_048_576;
const WRITES = 4;
const MOST_STEPS = 1_000;

export function createConformanceAgents(timers: Timers): readonly AgentDefinition[] {
  const echo = (version: string) =>
    defineAgent({ name: DEFAULT_AGENTS.echo, version, run: (_ctx, input: unknown) => input });

  const logs = defineAgent({
    name: DEFAULT_AGENTS.logs,
    version: "1.0.0",
    async run(ctx, input) {
      const lines = numberOf(input, "count", DEFAULT_LINES, MOST_LINES);
      for (let line = 1; line <= lines; line++) await ctx.log(`line ${line}`);
      return { lines };
    },
  });

  const slow = defineAgent({
    name: DEFAULT_AGENTS.slow,
    version: "1.0.0",
    async run(ctx, input) {
      const every = Math.max(1, numberOf(input, "every", DEFAULT_EVERY_MS, LONGEST_MS));
      const ticks = Math.ceil(numberOf(input, "ms", LONGEST_MS, LONGEST_MS) / every);
      for (let tick = 1; tick <= ticks; tick++) {
        await ctx.log(`tick ${tick}`);
        await pause(timers, every, ctx.signal);
      }
      return { ticks };
    },
  });

  const stream = defineAgent({
    name: DEFAULT_AGENTS.stream,
    version: "1.0.0",
    async run(ctx, input) {
      const bytes = numberOf(input, "bytes", DEFAULT_BYTES, MOST_BYTES);
      const out = ctx.streamResult();
      for (let part = 0; part < WRITES; part++) {
        const [from, to] = [Math.floor((bytes * part) / WRITES), Math.floor((bytes * (part + 1)) / WRITES)];
        await out.write("0123456789".repeat(Math.ceil(to / 10)).slice(from, to));
      }
      return await out.end({ summary: `${bytes} bytes` });
    },
  });

  const events = defineAgent({
    name: DEFAULT_AGENTS.events,
    version: "1.0.0",
    async run(ctx) {
      await ctx.log("one of each");
      await ctx.thought("each kind has a shape");
      await ctx.status("working", "all is well");
      await ctx.metric({ name: "conformance.events", value: 1, unit: "events", dimensions: { kind: "metric" } });
      await ctx.progress({ current: 0 });
      await ctx.progress({ current: 1, total: 2, units: "steps", message: "half" });
      await ctx.progress({ current: 2, total: 2 });
      await ctx.emit("x-leasehold.conformance", { seen: true });
      await ctx.log("done");
    },
  });

  const fail = defineAgent({
    name: DEFAULT_AGENTS.fail,
    version: "1.0.0",
    run() {
      throw new Error("this agent always fails");
    },
  });

  const acts = defineAgent({
    name: DEFAULT_AGENTS.acts,
    version: "1.0.0",
    async run(ctx, input) {
      const steps = ((input as { steps?: readonly ActStep[] } | null)?.steps ?? []).slice(0, MOST_STEPS);
      const outcomes: string[] = [];
      for (const step of steps) outcomes.push(await outcomeOf(() => act(ctx, step, timers)));
      return outcomes;
    },
  });

  const delegates = defineAgent({
    name: DEFAULT_AGENTS.delegates,
    version: "1.0.0",
    async run(ctx, input) {
      const { agent = "", lease, expires_at: expiresAt, ...asked } = (input ?? {}) as DelegateInput;
      return outcomeOf(async () => {
        const child = await ctx.delegate(agent, asked.input, { lease, expiresAt });
        await child.result();
      });
    },
  });

  return [echo("0.9.0"), echo("1.0.0"), logs, slow, stream, events, fail, acts, delegates];
}

interface ActStep {
  readonly tool?: string;
  readonly model?: string;
  readonly cost?: number;
  readonly unit?: string;
  readonly wait?: number;
}

interface DelegateInput {
  readonly agent?: string;
  readonly input?: unknown;
  readonly lease?: Readonly<Record<string, readonly string[]>>;
  readonly expires_at?: string;
}

async function act(ctx: AgentContext, { tool, model, cost, unit, wait }: ActStep, timers: Timers): Promise<void> {
  if (tool !== undefined) await ctx.tool(tool, {}, () => "done");
  if (model !== undefined) await ctx.assertModelAllowed(model);
  if (cost !== undefined) {
    await ctx.metric({ name: "cost.conformance", value: cost, ...(unit === undefined ? {} : { unit }) });
  }
  // It does not hear that it is to stop: what is refused then is what some cases look at.
  if (wait !== undefined) await new Promise<void>((resolve) => void timers.after(Math.min(wait, LONGEST_MS), resolve));
}

/** `done`, or the code it was refused with. */
async function outcomeOf(work: () => Promise<void>): Promise<string> {
  try {
    await work();
    return "done";
  } catch (error) {
    return String((error as { code?: unknown } | null)?.code ?? error);
  }
}

function numberOf(input: unknown, name: string, otherwise: number, most: number): number {
  const value = (input as Readonly<Record<string, unknown>> | null | undefined)?.[name];
  return typeof value === "number" && value >= 0 ? Math.min(value, most) : otherwise;
}

function pause(timers: Timers, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      timer.cancel();
      reject(signal.reason);
    };
    const timer = timers.after(ms, () => {
      signal.removeEventListener("abort", stop);
      resolve();
    });
    signal.addEventListener("abort", stop, { once: true });
  });
}
