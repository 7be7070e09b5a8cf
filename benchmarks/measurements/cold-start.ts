/** From making the process to its first accepted job: what a restart, a test or a command line waits for. */
import { BareClient } from "../bare-client.ts";
import type { Bench, Measurement } from "../bench.ts";
import { RawClient } from "../raw-client.ts";
import { atMost, type Findings } from "../results.ts";

export const coldStart: Measurement = {
  name: "cold-start",
  async run(bench: Bench): Promise<Findings> {
    // Once without counting: the files are in the system's cache afterwards.
    await firstAccepted(bench);
    await firstEcho(bench);
    const accepted: number[] = [];
    const echoed: number[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      accepted.push(await firstAccepted(bench));
      echoed.push(await firstEcho(bench));
    }
    return {
      rows: [{ what: "spawn → first job accepted", unit: "ms", leasehold: accepted, bare: echoed, reach: atMost(300) }],
    };
  },
};

async function firstAccepted(bench: Bench): Promise<number> {
  await using runtime = await bench.startRuntime();
  const client = await RawClient.connect(runtime);
  const job = await client.submit("echo", { text: "first" });
  const elapsed = performance.now() - runtime.spawnedAt;
  await client.result(job);
  await client.close();
  return elapsed;
}

async function firstEcho(bench: Bench): Promise<number> {
  await using server = await bench.startBare();
  const client = await BareClient.connect(server.url);
  await client.roundTrip("first");
  const elapsed = performance.now() - server.spawnedAt;
  await client.close();
  return elapsed;
}
