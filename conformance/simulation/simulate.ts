/**
 * `npm run simulate`: many seeded runs, or with `--seed` one of them step by step. Ends with code 1 at the first broken
 * law, after saying which, where, and how to see it again.
 */
import { parseArgs } from "node:util";
import { LAWS } from "./laws.ts";
import { type SimulationOutcome, simulate } from "./simulation.ts";

const USAGE =
  "usage: npm run simulate -- [--seed S [--frames]] [--seeds N (default 100)] [--from FIRST (default 1)] [--steps M (default 1000)]";

function readNumber(text: string, name: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${name} must be a whole number from 0, not ${text}\n${USAGE}`);
  return value;
}

function describe({ seed, steps, breach }: SimulationOutcome, asked: number): string {
  if (breach === undefined) return `seed ${seed}: no law was broken`;
  return [
    `seed ${seed}, step ${steps}: broke ${breach.law} (${LAWS[breach.law]})`,
    `  ${breach.detail}`,
    `  see it again: npm run simulate -- --seed ${seed} --steps ${asked}`,
  ].join("\n");
}

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    frames: { type: "boolean", default: false },
    seeds: { type: "string", default: "100" },
    from: { type: "string", default: "1" },
    steps: { type: "string", default: "1000" },
  },
});
const steps = readNumber(values.steps, "steps");
const first = readNumber(values.seed ?? values.from, "seed");
const count = values.seed === undefined ? readNumber(values.seeds, "seeds") : 1;
const print = (line: string): void => console.log(line);
const listeners = {
  ...(values.seed !== undefined && { onStep: print }),
  ...(values.seed !== undefined && values.frames && { onFrame: (line: string) => print(`    ${line}`) }),
};

const startedAt = performance.now();
const totals = { seeds: 0, steps: 0, events: 0, jobs: 0, crashes: 0 };
for (let seed = first; seed < first + count; seed++) {
  const outcome = await simulate({ seed, steps, ...listeners });
  totals.seeds++;
  for (const key of ["steps", "events", "jobs", "crashes"] as const) totals[key] += outcome[key];
  if (outcome.breach === undefined) continue;
  console.log(describe(outcome, steps));
  process.exitCode = 1;
  break;
}
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
const { seeds, events, jobs, crashes } = totals;
console.log(
  `${seeds} seeds, ${totals.steps} steps, ${jobs} jobs, ${events} events sent, ${crashes} crashes, ${seconds} s`,
);
