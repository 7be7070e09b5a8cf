/**
 * `npm run load`: a real runtime under everything at once. Ends with code 1 when a law was broken. What pings took, and
 * what memory grew by, is told beside what is aimed at: both depend on the machine, and on what else runs on it.
 */
import { parseArgs } from "node:util";
import { percentile } from "../../benchmarks/statistics.ts";
import { LAWS } from "../simulation/laws.ts";
import { runLoad } from "./load-run.ts";

const MEGABYTE = 1_000_000;

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "60" }, seed: { type: "string", default: "1" } },
});
const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
if (!(seconds > 0) || !Number.isSafeInteger(seed)) {
  throw new Error("usage: npm run load -- [--seconds N (default 60)] [--seed S (default 1)]");
}

const scale = { idleSessions: 1_000, subscribers: 50, subscriptions: 1_000 };
const outcome = await runLoad({ seconds, seed, ...scale, onProgress: (line) => console.log(line) });
const { breach, events, delivered, subscriptions, withHistory, resumed, pings, marks } = outcome;
const count = (value: number): string => value.toLocaleString("en-US");
const milliseconds = (percent: number): string => `${percentile(pings, percent).toFixed(1)} ms`;
console.log(
  `${count(events)} events, ${count(delivered)} delivered; ${count(subscriptions)} subscriptions by ` +
    `${scale.subscribers} subscribers, ${withHistory} with history, ${resumed} over a lost connection`,
);
console.log(
  `another session's ping: p50 ${milliseconds(50)}, p99 ${milliseconds(99)} (aim: 20 ms), longest ${milliseconds(100)}, ` +
    `${count(pings.length)} pings`,
);
const [first, last] = [marks[0], marks.at(-1)];
if (first !== undefined && last !== undefined && first !== last) {
  const grown = (last.resident - first.resident) / MEGABYTE;
  console.log(
    `resident memory: ${(first.resident / MEGABYTE).toFixed(1)} MB at ${count(first.events)} events, ${grown.toFixed(1)} MB ` +
      `more at ${count(last.events)} (aim: 20 MB from 100,000 to 1,000,000), ${((last.live - first.live) / MEGABYTE).toFixed(1)} MB of it live`,
  );
}
if (breach !== undefined) {
  console.log(`broke ${breach.law} (${LAWS[breach.law]})\n  ${breach.detail}`);
  process.exitCode = 1;
}
console.log(`${seconds} s of flood, seed ${seed}: ${breach === undefined ? "every stream whole" : "NOT whole"}`);
