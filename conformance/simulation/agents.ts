/** Agents that behave as their input says: in bursts, slowly, by failing, in steps, by streaming, deaf to a stop. */

import type { AgentContext } from "../../src/agents/agent-context.ts";
import { AgentError } from "../../src/agents/agent-error.ts";
import { type AgentDefinition, defineAgent } from "../../src/agents/define-agent.ts";
import { createAuthorityAgents } from "./authority-agents.ts";
import { type AgentSurroundings, readPlan, type Sleep } from "./plan.ts";

/** How often each is asked for: steppers have the most to lose. */
export const AGENTS = [
  ...["bursts", "failing", "stepper", "stepper", "streamer", "artist", "deaf"],
  ...["spender", "planner", "planner"],
] as const;

export function createAgents(surroundings: AgentSurroundings): readonly AgentDefinition[] {
  const { timers, ledger, judge } = surroundings;
  const version = "1.0.0";

  const sleep: Sleep = (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      const timer = timers.after(ms, resolve);
      signal?.addEventListener("abort", () => {
        timer.cancel();
        reject(signal.reason);
      });
    });

  async function burst(ctx: AgentContext, size: number): Promise<void> {
    for (let index = 0; index < size; index++) await emit(ctx, index, size);
  }

  /** Everything emitted before a flush that resolved must be on the log. */
  async function flush(ctx: AgentContext, emitted: number): Promise<void> {
    await ctx.flush();
    const durable = ledger.jobs.get(ctx.jobId)?.payloads.length ?? 0;
    if (durable < emitted)
      judge.report("flush-means-durable", `${ctx.jobId}: ${durable} of ${emitted} events are durable`);
  }

  async function runStep(ctx: AgentContext, name: string, pauseMs: number): Promise<void> {
    const kept = (): string | null | undefined => ledger.jobs.get(ctx.jobId)?.steps.get(name);
    const recorded = kept();
    const value = await ctx.step(name, async ({ signal }) => {
      if (recorded !== undefined)
        judge.report("steps-run-once", `${ctx.jobId}: ${name} ran again, though its value is recorded`);
      await sleep(pauseMs, signal);
      return `${name} of attempt ${ctx.attempt}`;
    });
    if (kept() !== JSON.stringify(value)) {
      judge.report("steps-run-once", `${ctx.jobId}: ${name} gave ${value}, and ${kept()} is recorded`);
    }
  }

  return [
    ...createAuthorityAgents(surroundings, sleep),
    defineAgent({
      name: "bursts",
      version,
      async run(ctx, input) {
        const { bursts, pauseMs } = readPlan(input);
        let emitted = 0;
        for (const size of bursts) {
          await burst(ctx, size);
          emitted += size;
          if (size % 3 === 0) await flush(ctx, emitted);
          await sleep(pauseMs, ctx.signal);
        }
        return { emitted };
      },
    }),
    defineAgent({
      name: "failing",
      version,
      async run(ctx, input) {
        const { bursts, pauseMs } = readPlan(input);
        for (const size of bursts) await burst(ctx, size);
        await sleep(pauseMs, ctx.signal);
        if (bursts.length % 2 === 0) throw new TypeError("this agent fails by a defect");
        throw new AgentError({ code: "INTERNAL_ERROR", message: "this agent fails on purpose", retryable: false });
      },
    }),
    defineAgent({
      name: "stepper",
      version,
      restart: "always",
      async run(ctx, input) {
        const { bursts, pauseMs } = readPlan(input);
        for (const [index, size] of bursts.entries()) {
          await runStep(ctx, `step ${index}`, pauseMs);
          await burst(ctx, Math.min(size, 10));
        }
        return { steps: bursts.length };
      },
    }),
    defineAgent({
      name: "streamer",
      version,
      restart: "always",
      async run(ctx, input) {
        const { bursts, pauseMs } = readPlan(input);
        const stream = ctx.streamResult();
        for (const size of bursts) {
          await stream.write("piece ".repeat(size));
          await sleep(pauseMs, ctx.signal);
        }
        return stream.end({ summary: "streamed" });
      },
    }),
    defineAgent({
      name: "artist",
      version,
      restart: "always",
      async run(ctx, input) {
        const { bursts, pauseMs, tag } = readPlan(input);
        const made: Promise<unknown>[] = [];
        for (const [index, size] of bursts.entries()) {
          // Some are alike, whoever makes them.
          const data = size % 3 === 0 ? `content ${size}` : `${tag}, ${index}: ${"x".repeat(size)}`;
          const artifact = ctx.artifact({ contentType: "text/plain", data });
          if (size % 2 === 0) await artifact;
          else made.push(artifact);
          await sleep(pauseMs, ctx.signal);
        }
        await Promise.all(made);
        return { artifacts: bursts.length };
      },
    }),
    defineAgent({
      name: "deaf",
      version,
      async run(ctx, input) {
        const { bursts, pauseMs } = readPlan(input);
        for (const size of bursts) {
          // Its emissions are refused once it was stopped, and it goes on all the same.
          await burst(ctx, size).catch(() => {});
          await sleep(pauseMs);
        }
        return "never mind";
      },
    }),
  ];
}

function emit(ctx: AgentContext, index: number, size: number): Promise<void> {
  switch (index % 5) {
    case 0:
      return ctx.log(`event ${index}`);
    case 1:
      return ctx.progress({ current: index, total: size });
    case 2:
      return ctx.metric({ name: "sim.index", value: index });
    case 3:
      return ctx.emit("x-sim.note", { index });
    default:
      return ctx.thought("…");
  }
}
