/** How old an event is when it arrives, at 10,000 a second: emitted, committed, delivered. */
import { type Bench, type Measurement, startPair } from "../bench.ts";
import { numberAfter } from "../frame-scan.ts";
import { monotonicMicroseconds, SENT_MARK } from "../pushed-frames.ts";
import { atMost, type Findings } from "../results.ts";
import { percentile } from "../statistics.ts";

export const eventLatency: Measurement = {
  name: "event-latency",
  async run(bench: Bench): Promise<Findings> {
    const pace = { perSecond: 10_000, seconds: bench.size(3, 0.1) };
    await using pair = await startPair(bench);
    const { client, bare } = pair;

    let ages: number[] = [];
    const note = (frame: string): void => {
      const sentAt = numberAfter(frame, SENT_MARK);
      if (sentAt !== undefined) ages.push((monotonicMicroseconds() - sentAt) / 1000);
    };
    client.onEvent = note;
    bare.onFrame = note;

    await client.run("paced", pace);
    const { meanFrameSize } = client.takeTally();
    await bare.pace(pace, meanFrameSize);

    const ours = { p50: [] as number[], p99: [] as number[] };
    const theirs = { p50: [] as number[], p99: [] as number[] };
    for (let round = 0; round < bench.rounds; round++) {
      for (const [figures, work] of [
        [ours, () => client.run("paced", pace)],
        [theirs, () => bare.pace(pace, meanFrameSize)],
      ] as const) {
        ages = [];
        await work();
        figures.p50.push(percentile(ages, 50));
        figures.p99.push(percentile(ages, 99));
      }
    }
    await pair.stop();

    return {
      rows: [
        {
          what: "event emitted → delivered at 10,000/s, p50",
          unit: "ms",
          leasehold: ours.p50,
          bare: theirs.p50,
          reach: atMost(1),
        },
        {
          what: "event emitted → delivered at 10,000/s, p99",
          unit: "ms",
          leasehold: ours.p99,
          bare: theirs.p99,
          reach: atMost(6),
        },
      ],
    };
  },
};
