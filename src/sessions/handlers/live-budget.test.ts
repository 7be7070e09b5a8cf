import { beforeEach, describe, expect, it } from "vitest";
import { createMemoryStore, type MemoryStore } from "../../stores/memory/memory-store.ts";
import { type TestClient, theOne } from "../test-client.ts";
import { startTestRuntime, type TestRuntime } from "../test-runtime.ts";

const LEASE = { "cost.budget": ["USD:5.00", "credits:10"], "agent.delegate": ["*"] };

let store: MemoryStore;
let runtime: TestRuntime;
let client: TestClient;

beforeEach(async () => {
  store = createMemoryStore();
  runtime = await startTestRuntime({ store });
  client = runtime.connect();
  await client.open();
});

async function submitPuppet(): Promise<string> {
  const answer = await client.submit("puppet", null, { lease_request: LEASE, idempotency_key: "once" });
  expect(answer.payload.budget).toEqual({ USD: 5, credits: 10 });
  return answer.payload.job_id;
}

async function shown(job: string, from = client) {
  from.send("job.subscribe", { job_id: job });
  const subscribed = theOne(await from.settled(), "job.subscribed").payload.budget;
  from.send("session.list_jobs", {});
  const listed = theOne(await from.settled(), "session.jobs").payload.jobs.find(({ job_id }) => job_id === job)?.budget;
  expect(listed).toEqual(subscribed);
  return subscribed;
}

describe("what remains of a budget", () => {
  it("is shown as it stands to who subscribes, and in listings [arcp-7.6-authority-descriptor]", async () => {
    const job = await submitPuppet();
    expect(await shown(job)).toEqual({ USD: 5, credits: 10 });
    const { ctx } = runtime.puppet(job);
    await ctx.metric({ name: "cost.inference", value: 3.25, unit: "USD" });
    expect(await shown(job)).toEqual({ USD: 1.75, credits: 10 });
    await ctx.metric({ name: "cost.inference", value: 2, unit: "USD" });
    expect(await shown(job)).toEqual({ USD: -0.25, credits: 10 });
  });

  it("counts what children have spent, and is theirs for them", async () => {
    const job = await submitPuppet();
    const delegating = runtime.puppet(job).ctx.delegate("puppet", null, { budget: { USD: "2" } });
    await runtime.world.settle();
    const child = (await delegating).jobId;
    await runtime.puppet(child).ctx.metric({ name: "cost.tools", value: 0.5, unit: "USD" });
    await runtime.puppet(child).ctx.metric({ name: "cost.tools", value: 1, unit: "credits" });
    expect(await shown(child)).toEqual({ USD: 1.5 });
    expect(await shown(job)).toEqual({ USD: 4.5, credits: 9 });
  });

  it("is what it was at the end, and after a restart", async () => {
    const job = await submitPuppet();
    await runtime.puppet(job).ctx.metric({ name: "cost.inference", value: 1.5, unit: "USD" });
    runtime.puppet(job).finish();
    expect(await shown(job)).toEqual({ USD: 3.5, credits: 10 });
    await runtime.close();
    const later = await runtime.restartOn(createMemoryStore(store.snapshot()));
    const another = later.connect();
    await another.open();
    expect(await shown(job, another)).toEqual({ USD: 3.5, credits: 10 });
  });

  it("is in the acceptance what it was at the beginning, also in a repeated one [arcp-7.2-same-acceptance]", async () => {
    const job = await submitPuppet();
    await runtime.puppet(job).ctx.metric({ name: "cost.inference", value: 1.5, unit: "USD" });
    await client.settled();
    const again = await client.submit("puppet", null, { lease_request: LEASE, idempotency_key: "once" });
    expect(again.payload).toMatchObject({ job_id: job, budget: { USD: 5, credits: 10 } });
  });
});
