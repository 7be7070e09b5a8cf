/** `maxLogBytes`: what becomes of a job that fills its log. */
import { describe, expect, it } from "vitest";
import type { JobHost } from "../agents-port.ts";
import { anAgent, createTestKernel, say } from "../test-kernel.ts";
import { MAX_STEP_LENGTH } from "./attempt.ts";

const LIMIT = 65_536;
const FULL = { code: "E", payload: { code: "INTERNAL_ERROR", details: { limit: "maxLogBytes", bytes: LIMIT } } };

/** Says a text of this length over and over, and takes no notice of being refused. */
function chatty(text: string, restart: "never" | "always" = "never") {
  return anAgent(
    "chatty",
    async (host: JobHost) => {
      for (let entry = 0; entry < 10_000; entry++) {
        try {
          await say(host, text);
          if (entry % 10 === 0) await host.flush();
        } catch {}
      }
      return { result: '"as if nothing were"' };
    },
    { restart },
  );
}

describe("a job that fills its log", () => {
  it.each([
    ["ASCII", "x".repeat(1_000)],
    ["characters of three bytes", "€".repeat(333)],
  ])("[reading-log-bound] ends with an error that names the limit, and keeps what fitted: %s", async (_, text) => {
    const { submit, log, store, kernel } = await createTestKernel({
      agents: [chatty(text)],
      jobLimits: { maxLogBytes: LIMIT },
    });
    const { job } = await submit("chatty");
    const entries = await log(job.id);
    expect(entries.at(-1)).toMatchObject(FULL);
    expect(entries.slice(0, -1).map(({ payload }) => (payload.body as { message: string }).message)).toEqual(
      Array(entries.length - 1).fill(text),
    );
    const bytes = await store.readLogBytes(job.id);
    expect(bytes).toBeLessThanOrEqual(LIMIT + 10_000);
    expect(bytes).toBeGreaterThan(LIMIT - 2_000);
    expect(kernel.unfinished).toBe(0);
  });

  it("is counted over restarts", async () => {
    const lasting = anAgent(
      "lasting",
      async (host: JobHost) => {
        for (let entry = 0; entry < 40; entry++) await say(host, "x".repeat(1_000));
        await host.flush();
        return host.attempt === 1 ? new Promise<never>(() => {}) : {};
      },
      { restart: "always" },
    );
    const first = await createTestKernel({ agents: [lasting], jobLimits: { maxLogBytes: LIMIT } });
    const { job } = await first.submit("lasting");
    expect((await first.stored(job.id)).status).toBe("running");
    const later = await first.crash();
    expect((await later.log(job.id)).at(-1)).toMatchObject(FULL);
  });

  it("is counted with the values of its steps", async () => {
    const stepping = anAgent("stepping", async (host: JobHost) => {
      for (let step = 0; step < 100; step++) await host.recordStep(`step ${step}`, JSON.stringify("x".repeat(1_000)));
      return {};
    });
    const { submit, log } = await createTestKernel({ agents: [stepping], jobLimits: { maxLogBytes: LIMIT } });
    const { job } = await submit("stepping");
    expect((await log(job.id)).at(-1)).toMatchObject(FULL);
  });
});

describe("the values of steps", () => {
  const record = async (host: JobHost, name: string, length: number) => host.recordStep(name, "1".repeat(length));

  it("have a length of their own, and the step is refused beyond it", async () => {
    const refusals: unknown[] = [];
    const stepping = anAgent("stepping", async (host) => {
      await record(host, "fits", MAX_STEP_LENGTH);
      await record(host, "too long", MAX_STEP_LENGTH + 1).catch((error: unknown) => refusals.push(error));
      return {};
    });
    const { submit, store } = await createTestKernel({ agents: [stepping] });
    const { job } = await submit("stepping");
    expect(refusals).toMatchObject([{ code: "INVALID_REQUEST", details: { field: "step.value" } }]);
    expect((await store.readSteps(job.id)).map(({ name }) => name)).toEqual(["fits"]);
  });

  it("that nobody awaits do not pile up without end", async () => {
    const statuses: string[] = [];
    const hasty = anAgent("hasty", async (host) => {
      const steps = Array.from({ length: 32 }, (_, step) => record(host, `${step}`, MAX_STEP_LENGTH));
      for (const { status } of await Promise.allSettled(steps)) statuses.push(status);
      return {};
    });
    const { submit, stored } = await createTestKernel({ agents: [hasty] });
    const { job } = await submit("hasty");
    expect(new Set(statuses)).toEqual(new Set(["fulfilled", "rejected"]));
    expect((await stored(job.id)).status).toBe("success");
  });
});
