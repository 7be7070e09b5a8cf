/** One chatty job to fifty subscribers: how many durable events a second arrive at all of them together. */
import { BareClient } from "../bare-client.ts";
import { type Bench, type Measurement, type Pair, startPair } from "../bench.ts";
import { RawClient } from "../raw-client.ts";
import { atLeast, type Findings } from "../results.ts";
import type { StreamTally } from "../stream-check.ts";

const SUBSCRIBERS = 50;
/** From the acceptance to the first event: time enough for all subscriptions, in a full and in a quick run. */
const START_AFTER_MS = [1_500, 500] as const;

export const subscribers: Measurement = {
  name: "subscribers",
  async run(bench: Bench): Promise<Findings> {
    const events = bench.size(10_000, 200);
    await using pair = await startPair(bench);
    const clients = await Promise.all(Array.from({ length: SUBSCRIBERS }, () => RawClient.connect(pair.runtime)));
    const connections = await Promise.all(
      Array.from({ length: SUBSCRIBERS }, () => BareClient.connect(pair.bareServer.url)),
    );

    const run = { events, startAfterMs: bench.size(...START_AFTER_MS) };
    const { meanFrameSize } = await deliver(pair, clients, run);
    await pushToAll(connections, events, meanFrameSize);

    const delivered: number[] = [];
    const pushed: number[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      delivered.push((await deliver(pair, clients, run)).perSecond);
      pushed.push(await pushToAll(connections, events, meanFrameSize));
    }
    for (const client of [...clients, ...connections]) await client.close();
    await pair.stop();

    return {
      rows: [
        {
          what: `one job → ${SUBSCRIBERS} subscribers, ${events.toLocaleString("en-US")} events each`,
          unit: "/s",
          leasehold: delivered,
          bare: pushed,
          reach: atLeast(500_000),
        },
      ],
    };
  },
};

interface Run {
  readonly events: number;
  readonly startAfterMs: number;
}

/** Has a job emit to all `clients`, which are not its submitter; counts what reaches them. @throws Error when one misses an event. */
async function deliver({ client }: Pair, clients: readonly RawClient[], { events, startAfterMs }: Run) {
  for (const subscriber of clients) subscriber.takeTally();
  const job = await client.submit("chatty", { n: events, startAfterMs });
  const subscriptions = await Promise.all(clients.map((subscriber) => subscriber.subscribe(job.id)));
  await Promise.all(subscriptions.map((subscription, index) => (clients[index] as RawClient).result(subscription)));
  await client.result(job);
  const tallies = clients.map((subscriber) => subscriber.takeTally());
  for (const { frames } of tallies) {
    if (frames !== events + 1) throw new Error(`a subscriber got ${frames} frames of ${events} events and a terminal`);
  }
  return { perSecond: rateOfAll(tallies), meanFrameSize: (tallies[0] as StreamTally).meanFrameSize };
}

async function pushToAll(connections: readonly BareClient[], frames: number, size: number): Promise<number> {
  return rateOfAll(await Promise.all(connections.map((connection) => connection.push(frames, size, "each"))));
}

/** Frames of all tallies, over the longest of their times: they run side by side. */
function rateOfAll(tallies: readonly StreamTally[]): number {
  const frames = tallies.reduce((sum, tally) => sum + tally.frames, 0);
  return (frames / Math.max(...tallies.map(({ milliseconds }) => milliseconds))) * 1000;
}
