/**
 * Agents of the kill test. Chatty ones, so that a kill finds them in the middle of something. The journal is a file
 * beside the runtime's own: what a step did stays done, whatever becomes of the process.
 */
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { AgentContext } from "../../src/agents/agent-context.ts";
import { defineAgent } from "../../src/agents/define-agent.ts";
import { JOURNAL_VARIABLE, type JournalEntry } from "./journal.ts";

const STEPS = 4;
const EVENTS_PER_BURST = 25;
const PAUSE_MS = 50;

function note(entry: JournalEntry): void {
  const file = process.env[JOURNAL_VARIABLE];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(entry)}\n`);
}

async function burst(ctx: AgentContext): Promise<void> {
  for (let index = 0; index < EVENTS_PER_BURST; index++) {
    if (index % 2 === 0) await ctx.log(`event ${index} of attempt ${ctx.attempt}`);
    else await ctx.progress({ current: index, total: EVENTS_PER_BURST });
  }
  await sleep(PAUSE_MS, undefined, { signal: ctx.signal });
}

/** Goes on after a crash, and does none of its steps twice. */
export const persistent = defineAgent({
  name: "persistent",
  version: "1.0.0",
  restart: "always",
  async run(ctx) {
    for (let index = 0; index < STEPS; index++) {
      const step = `step ${index}`;
      await ctx.step(step, () => {
        note({ did: "ran", job: ctx.jobId, step });
        return index;
      });
      note({ did: "recorded", job: ctx.jobId, step });
      await burst(ctx);
    }
    return { steps: STEPS };
  },
});

/** Ends with a retryable error when the runtime dies under it. */
export const fragile = defineAgent({
  name: "fragile",
  version: "1.0.0",
  async run(ctx) {
    for (let index = 0; index < STEPS; index++) await burst(ctx);
    return { events: STEPS * EVENTS_PER_BURST };
  },
});

/** Spends, sets money aside and hands errands on, and does so again after a crash. */
export const purchaser = defineAgent({
  name: "purchaser",
  version: "1.0.0",
  restart: "always",
  async run(ctx) {
    for (let round = 0; round < STEPS; round++) {
      const reserved = await ctx.budget.reserve({ USD: "0.05" }, { key: `round ${round}` });
      const errand = await ctx.delegate("errand", {}, { key: `errand ${round}`, budget: { USD: "0.3" } });
      await pay(ctx, { USD: "0.012345678901234567", credits: "1" });
      await reserved.commit({ USD: "0.04" });
      await errand.result().catch(() => {});
    }
    return { rounds: STEPS };
  },
});

/** What a purchaser hands on; dies with the runtime. */
export const errand = defineAgent({
  name: "errand",
  version: "1.0.0",
  async run(ctx) {
    for (let index = 0; index < STEPS; index++) {
      await pay(ctx, { USD: "0.033333333333333333", credits: "0.1" });
      await sleep(PAUSE_MS / STEPS, undefined, { signal: ctx.signal });
    }
  },
});

async function pay(ctx: AgentContext, amounts: { readonly USD: string; readonly credits: string }): Promise<void> {
  await ctx.charge(amounts);
  await ctx.flush();
  note({ did: "paid", job: ctx.jobId, amounts });
}
