/** One chatty job to one client: how many durable events a second arrive. */
import type { BareClient } from "../bare-client.ts";
import { type Bench, type Measurement, runChatty, startPair } from "../bench.ts";
import { atLeast, type Findings } from "../results.ts";
import { rateOf } from "../stream-check.ts";

export const oneStream: Measurement = {
  name: "one-stream",
  async run(bench: Bench): Promise<Findings> {
    const events = bench.size(100_000, 2_000);
    await using pair = await startPair(bench);
    const { client, bare } = pair;

    // Both servers are warm before the first round: they are long-lived, and so is compiled code.
    const { meanFrameSize } = (await runChatty(client, events)).tally;
    await bare.push(events, meanFrameSize, "each");

    const streamed: number[] = [];
    const endToEnd: number[] = [];
    const pushed: number[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      const { tally, milliseconds } = await runChatty(client, events);
      streamed.push(rateOf(tally));
      endToEnd.push((events / milliseconds) * 1000);
      pushed.push(rateOf(await bare.push(events, meanFrameSize, "each")));
    }
    const ceiling = await clientCeiling(bare, events, meanFrameSize);
    await pair.stop();

    const count = events.toLocaleString("en-US");
    return {
      rows: [
        {
          what: `one job → one client, ${count} events`,
          unit: "/s",
          leasehold: streamed,
          bare: pushed,
          reach: atLeast(150_000),
        },
        { what: "the same, from submit to terminal", unit: "/s", leasehold: endToEnd },
      ],
      notes: [
        `The load client itself takes at most ${Math.round(ceiling).toLocaleString("en-US")} frames/s of ${Math.round(meanFrameSize)} bytes, joined into large writes.`,
      ],
    };
  },
};

/** Frames a second that this client takes from a sender that costs nothing: many frames in each write. */
async function clientCeiling(bare: BareClient, frames: number, size: number): Promise<number> {
  await bare.push(frames, size, "joined");
  return rateOf(await bare.push(frames, size, "joined"));
}
