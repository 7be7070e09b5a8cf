/** The planner after a stop in the middle, and with too little money. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createRuntime } from "leasehold";
import type { Job, JobEvent } from "leasehold/client";
import { createMemoryStore } from "leasehold/testing";
import { afterEach, describe, expect, it } from "vitest";
import { planner, worker } from "./agents.ts";

const AGENTS = [planner, worker];
const FOLDER = join(import.meta.dirname, "documents");
const LEASE = { "fs.read": [`${FOLDER}/**`], "agent.delegate": ["worker"], "tool.call": ["digest"] };

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function outcomeOf(job: Job): Promise<{ digested: readonly string[]; undone: readonly string[] }> {
  const { digests, undone } = (await job.result()) as { digests: Record<string, string>; undone: readonly string[] };
  return {
    digested: Object.keys(digests)
      .map((path) => basename(path))
      .sort(),
    undone: undone.map((path) => basename(path)),
  };
}

const isDelegation = ({ kind }: JobEvent): boolean => kind === "delegate";

describe("planner", () => {
  it("finds its workers and what was paid again in a later attempt", async () => {
    const data = await mkdtemp(join(tmpdir(), "planner-"));
    cleanUps.push(() => rm(data, { recursive: true }));
    const submission = { lease: LEASE, budget: { USD: "0.75" }, idempotencyKey: "digests" };
    const before = await createRuntime({ agents: AGENTS, data });
    const first = await before.submit("planner", { folder: FOLDER }, submission);
    for await (const event of first.events()) if (isDelegation(event)) break;
    await before.close({ drainMs: 0 });

    const after = await createRuntime({ agents: AGENTS, data });
    cleanUps.push(() => after.close());
    const job = await after.submit("planner", { folder: FOLDER }, submission);
    const events: JobEvent[] = [];
    for await (const event of job.events()) events.push(event);
    expect(job.id).toBe(first.id);
    expect(events.some(({ kind, body }) => kind === "status" && body.phase === "restarted")).toBe(true);
    expect(events.filter(isDelegation)).toHaveLength(4);
    expect((await outcomeOf(job)).digested).toHaveLength(6);
    expect(job.budget.USD).toBe(0.065);
  });

  it("says what nobody could pay for", async () => {
    const runtime = await createRuntime({ agents: AGENTS, store: createMemoryStore() });
    cleanUps.push(() => runtime.close());
    const job = await runtime.submit("planner", { folder: FOLDER }, { lease: LEASE, budget: { USD: "0.45" } });
    expect(await outcomeOf(job)).toEqual({
      digested: ["alpine-huts.txt", "bees.txt", "canal-locks.txt", "paper.txt", "tides.txt"],
      undone: ["lighthouses.txt"],
    });
    expect(job.budget.USD).toBe(0.107);
  });

  it("can do nothing more once all of it is spent, and says so", async () => {
    const runtime = await createRuntime({ agents: AGENTS, store: createMemoryStore() });
    cleanUps.push(() => runtime.close());
    const job = await runtime.submit("planner", { folder: FOLDER }, { lease: LEASE, budget: { USD: "0.003" } });
    expect((await outcomeOf(job)).undone).toHaveLength(6);
  });
});
