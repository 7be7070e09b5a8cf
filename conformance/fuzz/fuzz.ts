/**
 * `npm run fuzz`: malformed frames by the ten thousand, over real WebSockets, to the runtime in a process of its own. Ends
 * with code 1 when one was not answered, or anything else happened that must not.
 */
import { parseArgs } from "node:util";
import { megabytes, runFuzz } from "./fuzz-run.ts";
import type { Memory } from "./runtime-under-fuzz.ts";

const { values } = parseArgs({
  options: { frames: { type: "string", default: "100000" }, seed: { type: "string", default: "1" } },
});
const [frames, seed] = [Number(values.frames), Number(values.seed)];
if (!Number.isSafeInteger(frames) || frames < 1 || !Number.isSafeInteger(seed)) {
  throw new Error("usage: npm run fuzz -- [--frames N (default 100000)] [--seed S (default 1)]");
}

function shown({ live, resident }: Memory): string {
  return `${megabytes(live)} live, ${megabytes(resident)} resident`;
}

console.log(`${frames} frames, seed ${seed}`);
const startedAt = performance.now();
const outcome = await runFuzz({ frames, seed, onProgress: (sent) => console.log(`${sent} sent`) });
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
const { sent, answered, closed, connections, served, longestWaitMs, memory, problems } = outcome;
for (const problem of problems) console.log(`problem: ${problem}`);
console.log(
  `${sent} frames in ${seconds} s over ${connections} connections: ${answered} answered, ${closed} closed for; ` +
    `beside them ${served} jobs served, the longest in ${longestWaitMs.toFixed(0)} ms; ` +
    `memory at half ${shown(memory.half)}, at the end ${shown(memory.end)}; seed ${seed}`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
