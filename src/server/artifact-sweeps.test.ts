import { expect, it } from "vitest";
import { type Log, silentLog } from "../platform/log.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { sweepAfterStart } from "./artifact-sweeps.ts";

it("sweeps once, a while after the start, and says what it removed or why it could not", async () => {
  const world = createFakeWorld();
  const lines: string[] = [];
  const log: Log = {
    ...silentLog,
    info: ({ removed }) => void lines.push(`removed ${removed}`),
    warn: (_fields, message) => void lines.push(message),
  };
  let sweeps = 0;
  sweepAfterStart({ sweepArtifacts: async () => ++sweeps }, world.timers, log);
  const broken = async (): Promise<number> => {
    throw new Error("the disk is gone");
  };
  sweepAfterStart({ sweepArtifacts: broken }, world.timers, log);
  sweepAfterStart({ sweepArtifacts: async () => 0 }, world.timers, log);
  sweepAfterStart({ sweepArtifacts: async () => ++sweeps }, world.timers, log).cancel();
  await world.advance(59_999);
  expect(lines).toEqual([]);
  await world.advance(3_600_000);
  expect(lines).toEqual(["removed 1", "artifacts could not be swept; the next start tries again"]);
  expect([sweeps, world.pendingTimers]).toEqual([1, 0]);
});
