/** Whether jobs that are over cost memory: the server's, after garbage was collected, as one session runs a hundred thousand. */
import { type Bench, type Measurement, startPair } from "../bench.ts";
import type { MemoryUse } from "../memory-use.ts";
import { atMost, type Findings } from "../results.ts";
import { STREAM_TIMEOUT_MS, within } from "../within.ts";

const MEGABYTE = 1_000_000;
const IN_FLIGHT = 64;
const INPUT = { text: "as short as a question" };

export const jobGrowth: Measurement = {
  name: "job-growth",
  async run(bench: Bench): Promise<Findings> {
    const first = bench.size(10_000, 200);
    const rest = bench.size(90_000, 800);
    const growth = { resident: [] as number[], live: [] as number[] };
    const bareGrowth = { resident: [] as number[], live: [] as number[] };
    for (let round = 0; round < bench.rounds; round++) {
      await using pair = await startPair(bench, { exposeGc: true });
      const { client, bare } = pair;
      const memory = async (): Promise<MemoryUse> => (await client.run("memory", {})).payload.result as MemoryUse;
      for (const [figures, work, measure] of [
        [growth, () => client.run("echo", INPUT), memory],
        [bareGrowth, () => bare.roundTrip(JSON.stringify(INPUT)), () => bare.memory()],
      ] as const) {
        await repeat(first, work);
        const early = await measure();
        await repeat(rest, work);
        const late = await measure();
        for (const kind of ["resident", "live"] as const) figures[kind].push((late[kind] - early[kind]) / MEGABYTE);
      }
      await pair.stop();
    }

    const [from, to] = [first, first + rest].map((count) => count.toLocaleString("en-US"));
    const row = (kind: "resident" | "live") =>
      ({
        what: `${kind} growth, ${from} → ${to} jobs of one session`,
        unit: "MB",
        leasehold: growth[kind],
        bare: bareGrowth[kind],
      }) as const;
    return { rows: [{ ...row("resident"), reach: atMost(20) }, row("live")] };
  },
};

/** Does the work so many times, `IN_FLIGHT` at a time. */
async function repeat(count: number, work: () => Promise<unknown>): Promise<void> {
  let started = 0;
  const lane = async (): Promise<void> => {
    while (started++ < count) await work();
  };
  await within(Promise.all(Array.from({ length: IN_FLIGHT }, lane)), STREAM_TIMEOUT_MS, `end of ${count} calls`);
}
