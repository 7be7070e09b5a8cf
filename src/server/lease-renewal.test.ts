/** A lease is never renewed (§9.5): whoever needs more time cancels, and submits anew. */
import { afterEach, describe, expect, it } from "vitest";
import { defineAgent } from "../agents/define-agent.ts";
import { createMemoryStore } from "../stores/memory/memory-store.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { createRuntime, type Runtime } from "./runtime.ts";

/** Looks around once a minute, as long as it may. */
const watchman = defineAgent({
  name: "watchman",
  version: "1.0.0",
  async run(ctx) {
    for (;;) {
      await ctx.tool("look", {}, () => null);
      await new Promise<void>((resolve, reject) => {
        world.timers.after(60_000, resolve);
        ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason), { once: true });
      });
    }
  },
});

let world: ReturnType<typeof createFakeWorld>;
let runtime: Runtime | undefined;
afterEach(async () => {
  const closed = runtime?.close();
  await world.advance(60_000);
  await closed;
});

describe("a job that needs more time than its lease has", () => {
  it("gets it as a new job, once it is cancelled, and not by its key [arcp-9.5-no-renewal]", async () => {
    world = createFakeWorld();
    const opened = createRuntime({ agents: [watchman], store: createMemoryStore(), world });
    await world.settle();
    runtime = await opened;
    const submit = async (idempotencyKey: string, minutes: number) => {
      const expiresAt = new Date(world.clock.now() + minutes * 60_000);
      const lease = { "tool.call": ["look"] };
      const asked = runtime?.submit("watchman", null, { lease, expiresAt, idempotencyKey });
      await world.settle();
      return asked;
    };
    const first = await submit("night", 10);
    await world.advance(60_000);
    await expect(submit("night", 60)).rejects.toMatchObject({ code: "DUPLICATE_KEY" });
    const cancelled = first?.cancel("more time is needed");
    await world.settle();
    await cancelled;
    expect(first?.status).toBe("cancelled");

    const second = await submit("longer night", 60);
    expect(second?.id).not.toBe(first?.id);
    await world.advance(30 * 60_000);
    expect(second?.status).toBe("running");
    await world.advance(31 * 60_000);
    expect(second?.status).toBe("error");
    await expect(second?.result()).rejects.toMatchObject({ code: "LEASE_EXPIRED" });
  });
});
