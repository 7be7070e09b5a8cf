/** A session that was away: 100,000 missed events are replayed. How fast, and at what cost in the server's memory. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Bench, type Measurement, startPair } from "../bench.ts";
import { type MemoryUse, peakMemory, resetPeak } from "../memory-use.ts";
import { RawClient, type Target } from "../raw-client.ts";
import { atLeast, atMost, type Findings } from "../results.ts";
import { rateOf, type StreamTally } from "../stream-check.ts";
import { STREAM_TIMEOUT_MS } from "../within.ts";

const MEGABYTE = 1_000_000;
const POLL_MS = 50;

export const resume: Measurement = {
  name: "resume",
  async run(bench: Bench): Promise<Findings> {
    const events = bench.size(100_000, 2_000);
    await using pair = await startPair(bench, { exposeGc: true });
    const { runtime, client: observer, bare } = pair;
    const idle = await collected(observer);

    const { meanFrameSize } = (await missAndResume(runtime, observer, events)).tally;
    await bare.push(events, meanFrameSize, "each");

    const replayed: number[] = [];
    const pushed: number[] = [];
    const above: number[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      const replay = await missAndResume(runtime, observer, events, () => resetPeak(runtime.pid));
      above.push((peakMemory(runtime.pid) - idle.resident) / MEGABYTE);
      replayed.push((replay.tally.frames / replay.milliseconds) * 1000);
      pushed.push(rateOf(await bare.push(events, meanFrameSize, "each")));
    }
    await pair.stop();

    const count = events.toLocaleString("en-US");
    return {
      rows: [
        {
          what: `resume of ${count} missed events`,
          unit: "/s",
          leasehold: replayed,
          bare: pushed,
          reach: atLeast(400_000),
        },
        { what: "its peak of server memory, above idle", unit: "MB", leasehold: above, reach: atMost(50) },
      ],
    };
  },
};

interface Replay {
  readonly tally: StreamTally;
  /** From the welcome to the terminal. */
  readonly milliseconds: number;
}

/**
 * Submits a chatty job, drops the connection at once, waits until the job has ended, and resumes.
 * @param observer another session of the same principal, which sees the job end.
 * @param quiet called when the job has ended and its garbage is collected, before resuming.
 */
async function missAndResume(target: Target, observer: RawClient, events: number, quiet = () => {}): Promise<Replay> {
  const before = await RawClient.connect(target);
  await before.submit("chatty", { n: events, kind: "mixed" });
  const resumption = before.drop();
  await allEnded(observer);
  await collected(observer);
  quiet();

  const after = await RawClient.resume(target, resumption);
  const [job] = after.resumedJobs;
  if (job === undefined) throw new Error("the job had ended before its session was dropped: nothing was missed");
  const terminal = await after.result(job);
  const tally = after.takeTally();
  await after.close();

  const expected = events - resumption.lastEventSeq;
  if (tally.frames <= expected) throw new Error(`${tally.frames} frames were replayed, and ${expected} events missed`);
  return { tally, milliseconds: terminal.arrivedAt - after.welcomedAt };
}

async function allEnded(observer: RawClient): Promise<void> {
  const deadline = performance.now() + STREAM_TIMEOUT_MS;
  for (;;) {
    const unfinished = await observer.unfinishedJobs();
    if (unfinished.length === 0) return;
    if (performance.now() > deadline)
      throw new Error(`no end of ${unfinished.join(", ")} within ${STREAM_TIMEOUT_MS} ms`);
    await sleep(POLL_MS);
  }
}

/** The server's memory after a collection: its own doing, not yesterday's garbage. */
async function collected(observer: RawClient): Promise<MemoryUse> {
  return (await observer.run("memory", {})).payload.result as MemoryUse;
}
