/** Another session's ping while a job emits at full speed: whether a chatty job starves the rest. */
import { setTimeout as sleep } from "node:timers/promises";
import { BareClient } from "../bare-client.ts";
import { type Bench, type Measurement, runChatty, startPair } from "../bench.ts";
import { RawClient } from "../raw-client.ts";
import { atMost, type Findings } from "../results.ts";
import { percentile } from "../statistics.ts";

const PAUSE_MS = 2;
const PING_TEXT = "x".repeat(150);

export const pingUnderLoad: Measurement = {
  name: "ping-under-load",
  async run(bench: Bench): Promise<Findings> {
    const events = bench.size(300_000, 5_000);
    await using pair = await startPair(bench);
    const { meanFrameSize } = (await runChatty(pair.client, events)).tally;

    const other = await RawClient.connect(pair.runtime);
    const bareOther = await BareClient.connect(pair.bareServer.url);
    const ours = { p50: [] as number[], p99: [] as number[] };
    const theirs = { p50: [] as number[], p99: [] as number[] };
    for (let round = 0; round < bench.rounds; round++) {
      for (const [figures, load, ping] of [
        [ours, () => runChatty(pair.client, events), () => other.ping()],
        [
          theirs,
          () => pair.bare.push(events, meanFrameSize, "each"),
          () => timed(() => bareOther.roundTrip(PING_TEXT)),
        ],
      ] as const) {
        const times = await pingsDuring(load, ping);
        figures.p50.push(percentile(times, 50));
        figures.p99.push(percentile(times, 99));
      }
    }
    await other.close();
    await bareOther.close();
    await pair.stop();

    return {
      rows: [
        { what: "another session's ping at full speed, p50", unit: "ms", leasehold: ours.p50, bare: theirs.p50 },
        {
          what: "another session's ping at full speed, p99",
          unit: "ms",
          leasehold: ours.p99,
          bare: theirs.p99,
          reach: atMost(20),
        },
      ],
    };
  },
};

/** Round trips, one after the other, for as long as the load lasts; at least one. */
async function pingsDuring(load: () => Promise<unknown>, ping: () => Promise<number>): Promise<readonly number[]> {
  let loaded = true;
  const loading = load().finally(() => {
    loaded = false;
  });
  // It is awaited below; a failure that comes sooner must not end the process meanwhile.
  loading.catch(() => {});
  const times: number[] = [];
  try {
    do {
      times.push(await ping());
      await sleep(PAUSE_MS);
    } while (loaded);
  } finally {
    await loading;
  }
  return times;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
