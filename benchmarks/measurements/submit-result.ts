/** Submit → result of an agent that returns its input: one at a time, and 64 in flight; beside echoes, and a bare commit. */
import { commitTimes } from "../bare-commit.ts";
import { type Bench, type Measurement, startPair } from "../bench.ts";
import { atLeast, atMost, type Findings } from "../results.ts";
import { median, percentile } from "../statistics.ts";
import { STREAM_TIMEOUT_MS, within } from "../within.ts";

const IN_FLIGHT = 64;
const INPUT = { text: "as short as a question" };
/** As large as the frame of a submission of `INPUT`. */
const ECHO_TEXT = "x".repeat(200);

export const submitResult: Measurement = {
  name: "submit-result",
  async run(bench: Bench): Promise<Findings> {
    const sequential = bench.size(2_000, 50);
    const concurrent = bench.size(20_000, 500);
    await using pair = await startPair(bench);
    const submit = () => pair.client.run("echo", INPUT);
    const echo = () => pair.bare.roundTrip(ECHO_TEXT);

    await throughput(concurrent, submit);
    await throughput(concurrent, echo);

    const jobs = { p50: [] as number[], p99: [] as number[], perSecond: [] as number[] };
    const echoes = { p50: [] as number[], p99: [] as number[], perSecond: [] as number[] };
    const commits: number[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      for (const [figures, work] of [
        [jobs, submit],
        [echoes, echo],
      ] as const) {
        const times = await timesOf(sequential, work);
        figures.p50.push(percentile(times, 50));
        figures.p99.push(percentile(times, 99));
        figures.perSecond.push(await throughput(concurrent, work));
      }
      commits.push(percentile(commitTimes(bench.scratch, sequential), 50));
    }
    await pair.stop();

    const commit = median(commits);
    return {
      rows: [
        {
          what: "submit → result, sequential, p50",
          unit: "ms",
          leasehold: jobs.p50,
          bare: echoes.p50,
          reach: atMost(2 * commit + 0.4),
        },
        { what: "submit → result, sequential, p99", unit: "ms", leasehold: jobs.p99, bare: echoes.p99 },
        {
          what: `submit → result, ${IN_FLIGHT} in flight`,
          unit: "/s",
          leasehold: jobs.perSecond,
          bare: echoes.perSecond,
          reach: atLeast(20_000),
        },
      ],
      notes: [
        `A bare SQLite commit (WAL, synchronous=FULL, one small row) took ${commit.toFixed(3)} ms (p50) in this run.`,
      ],
    };
  },
};

/** Milliseconds of each of `count` calls, one after the other. */
async function timesOf(count: number, work: () => Promise<unknown>): Promise<readonly number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const startedAt = performance.now();
    await work();
    times.push(performance.now() - startedAt);
  }
  return times;
}

/** Calls finished a second, with `IN_FLIGHT` under way at any time. */
async function throughput(count: number, work: () => Promise<unknown>): Promise<number> {
  let started = 0;
  const lane = async (): Promise<void> => {
    while (started++ < count) await work();
  };
  const startedAt = performance.now();
  await within(Promise.all(Array.from({ length: IN_FLIGHT }, lane)), STREAM_TIMEOUT_MS, `end of ${count} calls`);
  return (count / (performance.now() - startedAt)) * 1000;
}
