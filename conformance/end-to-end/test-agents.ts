/** Agents for tests of whole processes. What they wait for is a file, so that a test in another process decides. */
import { existsSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { type AgentContext, AgentError, defineAgent } from "leasehold";

const LOOK_EVERY_MS = 10;
/** What an agent that talks says in an attempt that may end. */
const LINES_OF_LATER_ATTEMPTS = 100;
/** Lines between two breaths of a millisecond: fast enough to be in the middle of something at any moment. */
const LINES_AT_ONCE = 10;

export const echo = defineAgent({ name: "echo", version: "1.0.0", run: (_ctx, input) => input });

export const failing = defineAgent({
  name: "failing",
  version: "1.0.0",
  run() {
    throw new AgentError({ code: "PERMISSION_DENIED", message: "this agent always fails" });
  },
});

/** Throws where nobody can catch it. */
export const stray = defineAgent({
  name: "stray",
  version: "1.0.0",
  run: () =>
    new Promise(() => {
      setTimeout(() => {
        throw new Error("thrown by a timer");
      });
    }),
});

async function waitForFile(ctx: AgentContext, input: unknown): Promise<object> {
  const { until } = input as { until: string };
  await ctx.log("waiting");
  while (!existsSync(until)) await delay(LOOK_EVERY_MS, undefined, { signal: ctx.signal });
  return { attempt: ctx.attempt };
}

/** Ends once the file `until` exists. */
export const waiting = defineAgent({ name: "waiting", version: "1.0.0", run: waitForFile });
/** The same, one job at a time, and again after a restart. */
export const patient = defineAgent({
  name: "patient",
  version: "1.0.0",
  restart: "always",
  maxConcurrent: 1,
  run: waitForFile,
});

/** Talks without end in its first attempt. Adds a line to the file `marks` each time its step really runs. */
async function talk(ctx: AgentContext, input: unknown): Promise<object> {
  const { marks } = input as { marks: string };
  const begun = await ctx.step("begin", async () => {
    await appendFile(marks, `begun by attempt ${ctx.attempt}\n`);
    return ctx.attempt;
  });
  for (let line = 1; ctx.attempt === 1 || line <= LINES_OF_LATER_ATTEMPTS; line++) {
    await ctx.log(`line ${line} of attempt ${ctx.attempt}`);
    if (line % LINES_AT_ONCE === 0) await delay(1, undefined, { signal: ctx.signal });
  }
  return { begun, ended: ctx.attempt };
}

export const restarting = defineAgent({ name: "restarting", version: "1.0.0", restart: "always", run: talk });
export const fragile = defineAgent({ name: "fragile", version: "1.0.0", restart: "never", run: talk });
