/** Whether a stream costs memory: the server's, after garbage was collected, after 100,000 and after 1,000,000 events. */
import { type Bench, type Measurement, runChatty, startPair } from "../bench.ts";
import type { MemoryUse } from "../memory-use.ts";
import { atMost, type Findings } from "../results.ts";

const MEGABYTE = 1_000_000;

export const memoryGrowth: Measurement = {
  name: "memory-growth",
  async run(bench: Bench): Promise<Findings> {
    const first = bench.size(100_000, 2_000);
    const rest = bench.size(900_000, 8_000);
    const after: number[] = [];
    const bareAfter: number[] = [];
    const growth = { resident: [] as number[], live: [] as number[] };
    const bareGrowth = { resident: [] as number[], live: [] as number[] };
    for (let round = 0; round < bench.rounds; round++) {
      await using pair = await startPair(bench, { exposeGc: true });
      const { client, bare } = pair;
      const { meanFrameSize } = (await runChatty(client, first)).tally;
      const early = await memoryOf(client.run("memory", {}));
      await runChatty(client, rest);
      const late = await memoryOf(client.run("memory", {}));

      await bare.push(first, meanFrameSize, "each");
      const bareEarly = await bare.memory();
      await bare.push(rest, meanFrameSize, "each");
      const bareLate = await bare.memory();
      await pair.stop();

      after.push(late.resident / MEGABYTE);
      bareAfter.push(bareLate.resident / MEGABYTE);
      for (const kind of ["resident", "live"] as const) {
        growth[kind].push((late[kind] - early[kind]) / MEGABYTE);
        bareGrowth[kind].push((bareLate[kind] - bareEarly[kind]) / MEGABYTE);
      }
    }

    const [from, to] = [first, first + rest].map((count) => count.toLocaleString("en-US"));
    return {
      rows: [
        { what: `resident memory after ${to} events`, unit: "MB", leasehold: after, bare: bareAfter },
        {
          what: `resident growth, ${from} → ${to} events`,
          unit: "MB",
          leasehold: growth.resident,
          bare: bareGrowth.resident,
          reach: atMost(20),
        },
        { what: `live growth, ${from} → ${to} events`, unit: "MB", leasehold: growth.live, bare: bareGrowth.live },
      ],
    };
  },
};

async function memoryOf(run: Promise<{ payload: Readonly<Record<string, unknown>> }>): Promise<MemoryUse> {
  return (await run).payload.result as MemoryUse;
}
