import { expect, it, vi } from "vitest";
import { createTestKernel, endless } from "../test-kernel.ts";

it("commands of other nodes are found without a wake-up, and go once they are old, answered or not", async () => {
  const test = await createTestKernel({ agents: [endless], retention: {}, start: false });
  vi.spyOn(test.store, "onWake").mockReturnValue(() => {});
  await test.kernel.start();
  const { job } = await test.submit("endless");
  const command = { root: job.id, job: job.id, kind: "cancel" as const, createdAt: test.world.clock.now() };
  await test.store.commit({ claims: [], rows: { commands: [{ ...command, id: "c", body: '{"reason":"asked"}' }] } });
  await test.world.advance(4_999);
  expect((await test.stored(job.id)).status).toBe("running");
  await test.world.advance(1);
  expect((await test.stored(job.id)).status).toBe("cancelled");
  expect(await test.store.readCommandOutcome("c")).toContain("cancelled");
  await test.world.advance(3_600_000);
  expect(await test.store.readCommandOutcome("c")).toBeUndefined();
});
