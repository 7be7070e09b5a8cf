/** Leaving a job and following it again, while what was placed before is still on its way. */
import { expect, it } from "vitest";
import { isOnLog, isSequenced, ofType, theOne } from "../test-client.ts";
import { startTestRuntime } from "../test-runtime.ts";

const OVERLOAD_BYTES = 4_000;

it.each([
  ["leaves it and follows it again", true],
  ["asks for it once more", false],
])(
  "a client that lags and %s is answered after what was placed before [reading-subscribe-order]",
  async (_, leaves) => {
    const runtime = await startTestRuntime();
    const owner = runtime.connect();
    await owner.open();
    const { job_id } = (await owner.submit("puppet")).payload;
    const { ctx } = runtime.puppet(job_id);
    const log = async (lines: number): Promise<void> => {
      for (let line = 0; line < lines; line++) {
        await ctx.log(`line ${line} of many that are to be read`);
        await runtime.world.settle();
      }
    };

    const watcher = runtime.connect({ overloadBytes: OVERLOAD_BYTES });
    await watcher.open();
    watcher.send("job.subscribe", { job_id });
    await watcher.settled();
    watcher.line.stall();
    await log(60);
    if (leaves) watcher.send("job.unsubscribe", { job_id });
    watcher.send("job.subscribe", { job_id });
    await runtime.world.settle();
    watcher.line.resume();
    await log(3);

    const received = await watcher.settled();
    const { subscribed_from } = theOne(ofType(received, "job.subscribed"), "job.subscribed").payload;
    const at = received.findIndex(({ type }) => type === "job.subscribed");
    const jobSeqs = (part: typeof received) =>
      part
        .filter(isSequenced)
        .filter(isOnLog)
        .map(({ payload }) => payload.job_seq);
    const [before, after] = [jobSeqs(received.slice(0, at)), jobSeqs(received.slice(at))];
    expect(before.length).toBeGreaterThan(0);
    expect(before).toEqual(before.map((_, index) => index + 1));
    const from = Number(subscribed_from);
    expect(after).toEqual(Array.from({ length: 63 - from }, (_, index) => from + 1 + index));
    await runtime.close();
  },
);
