/** What a session costs that does nothing: resident memory per session, once 4,500 are open: fewer would mostly measure how V8 grows its heap by itself. */
import { BareClient } from "../bare-client.ts";
import { type Bench, type Measurement, startPair } from "../bench.ts";
import type { MemoryUse } from "../memory-use.ts";
import { RawClient } from "../raw-client.ts";
import { atMost, type Findings } from "../results.ts";

const KILOBYTE = 1_000;
/** Connections being opened at a time. With these and one more, all are one principal's, who may have 5,000. */
const OPENING = 32;

export const idleSessions: Measurement = {
  name: "idle-sessions",
  async run(bench: Bench): Promise<Findings> {
    const sessions = bench.size(4_500, 50);
    const perSession: number[] = [];
    const perConnection: number[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      await using pair = await startPair(bench, { exposeGc: true });
      const { runtime, bareServer, client, bare } = pair;
      perSession.push(
        await costOfEach(
          sessions,
          () => RawClient.connect(runtime),
          async () => (await client.run("memory", {})).payload.result as MemoryUse,
        ),
      );
      perConnection.push(
        await costOfEach(
          sessions,
          () => BareClient.connect(bareServer.url),
          () => bare.memory(),
        ),
      );
      await pair.stop();
    }
    return {
      rows: [
        {
          what: `one of ${sessions.toLocaleString("en-US")} idle sessions`,
          unit: "KB",
          leasehold: perSession,
          bare: perConnection,
          reach: atMost(16),
        },
      ],
    };
  },
};

/** Opens so many, closes them again, and returns what each added to the server's resident memory, in KB. */
async function costOfEach(
  count: number,
  open: () => Promise<{ close(): Promise<void> }>,
  memory: () => Promise<MemoryUse>,
): Promise<number> {
  // The first ones pay for code that is compiled and pools that are filled once.
  const opened = await openAll(OPENING, open);
  const before = await memory();
  opened.push(...(await openAll(count, open)));
  const after = await memory();
  for (let closed = 0; closed < opened.length; closed += OPENING) {
    await Promise.all(opened.slice(closed, closed + OPENING).map((client) => client.close()));
  }
  return (after.resident - before.resident) / count / KILOBYTE;
}

async function openAll<Client>(count: number, open: () => Promise<Client>): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) {
    const batch = Math.min(OPENING, count - clients.length);
    clients.push(...(await Promise.all(Array.from({ length: batch }, open))));
  }
  return clients;
}
