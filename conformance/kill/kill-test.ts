/** `npm run kill-test`: many kills of the real runtime. Ends with code 1 when a law was broken. */
import { parseArgs } from "node:util";
import { LAWS } from "../simulation/laws.ts";
import { runKillTest } from "./cycles.ts";

const { values } = parseArgs({
  options: { cycles: { type: "string", default: "200" }, seed: { type: "string", default: "1" } },
});
const [cycles, seed] = [Number(values.cycles), Number(values.seed)];
if (!Number.isSafeInteger(cycles) || !Number.isSafeInteger(seed)) {
  throw new Error("usage: npm run kill-test -- [--cycles N (default 200)] [--seed S (default 1)]");
}

const startedAt = performance.now();
const { breach, jobs, events, midStream, recovered, stepsRun, counted } = await runKillTest({
  cycles,
  seed,
  onCycle: (line) => console.log(line),
});
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
if (breach !== undefined) {
  console.log(`broke ${breach.law} (${LAWS[breach.law]})\n  ${breach.detail}`);
  process.exitCode = 1;
}
console.log(
  `${cycles} cycles, ${midStream} kills mid-stream, ${jobs} jobs, ${recovered} lost acceptances recovered, ` +
    `${stepsRun} steps run, ${counted} jobs with money, ${events} events, ${seconds} s, seed ${seed}`,
);
