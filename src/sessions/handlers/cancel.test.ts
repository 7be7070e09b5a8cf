import { beforeEach, describe, expect, it } from "vitest";
import { createMemoryStore } from "../../stores/memory/memory-store.ts";
import { createFaultyStore, type FaultyStore } from "../../testing/faulty-store.ts";
import { ALL_FEATURES, refusals, type TestClient, theOne } from "../test-client.ts";
import { startTestRuntime, type TestRuntime } from "../test-runtime.ts";

const WITHOUT_CONTROL = ALL_FEATURES.filter((feature) => feature !== "x-leasehold.control");

let store: FaultyStore;
let runtime: TestRuntime;
let client: TestClient;
let job: string;

beforeEach(async () => {
  store = createFaultyStore(createMemoryStore());
  runtime = await startTestRuntime({ store });
  client = runtime.connect();
  await client.open({ features: WITHOUT_CONTROL });
  job = (await client.submit("puppet")).payload.job_id;
});

async function opened(token: string, features: readonly string[]): Promise<TestClient> {
  const other = runtime.connect();
  await other.open({ token, features });
  return other;
}

describe("the submitting session [arcp-7.4-submitter-cancels]", () => {
  it("is answered with job.cancelled, then the job ends as cancelled [arcp-7.4-cancelled-then-error]", async () => {
    const request = client.send("job.cancel", { job_id: job, reason: "changed my mind" });
    const received = await client.settled();
    expect(received.map(({ type }) => type)).toEqual(["job.cancelled", "job.error"]);
    expect(theOne(received, "job.cancelled")).toMatchObject({
      job_id: job,
      payload: { job_id: job, reason: "changed my mind", request_id: request },
    });
    expect(theOne(received, "job.error").payload).toMatchObject({ code: "CANCELLED", final_status: "cancelled" });
  });

  it("may name the job in the envelope [reading-cancel-placements]", async () => {
    client.send("job.cancel", {}, { job_id: job });
    expect((await client.settled()).map(({ type }) => type)).toEqual(["job.cancelled", "job.error"]);
  });

  it("must name a job, and the same in both places", async () => {
    client.send("job.cancel", {});
    client.send("job.cancel", { job_id: job }, { job_id: "job_other" });
    expect(refusals(await client.settled()).map(([code]) => code)).toEqual(["INVALID_REQUEST", "INVALID_REQUEST"]);
  });

  it("is not answered before the cancellation is durable [law-commit-then-publish]", async () => {
    store.hold();
    client.send("job.cancel", { job_id: job });
    expect(await client.settled()).toEqual([]);
    expect(runtime.puppet(job).ctx.signal.aborted).toBe(true);
    store.release();
    expect((await client.settled()).map(({ type }) => type)).toEqual(["job.cancelled", "job.error"]);
  });

  it("is told when the cancellation could not be stored", async () => {
    store.failNext();
    const request = client.send("job.cancel", { job_id: job });
    expect(refusals(await client.settled())).toEqual([["INTERNAL_ERROR", request]]);
    runtime.errors.length = 0;
    // The store holds the job as running: it ends with the error of a lost run.
    expect(theOne(await client.after(60_000), "job.error").payload).toMatchObject({ code: "INTERNAL_ERROR" });
  });
});

describe("nothing is recorded after a cancel", () => {
  it("of what the agent still does [law-one-terminal]", async () => {
    const { ctx, finish } = runtime.puppet(job);
    client.send("job.cancel", { job_id: job });
    await client.settled();
    await expect(ctx.log("too late")).rejects.toMatchObject({ code: "CANCELLED" });
    finish("too late as well");
    expect(await client.after(10_000)).toEqual([]);
    expect((await store.readHeads([job])).get(job)).toBe(1);
  });

  it("of what the agent does in the turn of the cancel, before it is durable", async () => {
    const { ctx } = runtime.puppet(job);
    store.hold();
    await ctx.log("in time");
    client.send("job.cancel", { job_id: job });
    await runtime.world.settle();
    await expect(ctx.log("too late")).rejects.toMatchObject({ code: "CANCELLED" });
    store.release();
    expect((await client.settled()).map(({ type }) => type)).toEqual(["job.event", "job.cancelled", "job.error"]);
  });
});

describe("a repeat", () => {
  it("on a cancelled job is answered with its final status [reading-cancel-repeated]", async () => {
    client.send("job.cancel", { job_id: job });
    await client.settled();
    client.send("job.cancel", { job_id: job });
    const received = await client.settled();
    expect(received.map(({ type }) => type)).toEqual(["job.cancelled"]);
    expect(theOne(received, "job.cancelled").payload.final_status).toBe("cancelled");
  });

  it("on a job that succeeded says so [reading-cancel-repeated]", async () => {
    runtime.puppet(job).finish();
    await client.settled();
    client.send("job.cancel", { job_id: job });
    expect(theOne(await client.settled(), "job.cancelled").payload.final_status).toBe("success");
  });

  it("on a job that succeeded in that very moment says so, and the job has one terminal", async () => {
    store.hold();
    runtime.puppet(job).finish();
    await runtime.world.settle();
    client.send("job.cancel", { job_id: job });
    await runtime.world.settle();
    store.release();
    const received = await client.settled();
    expect(theOne(received, "job.cancelled").payload.final_status).toBe("success");
    theOne(received, "job.result");
  });

  it("in the same turn is answered as well, and the job has one terminal [law-one-terminal]", async () => {
    client.send("job.cancel", { job_id: job });
    client.send("job.cancel", { job_id: job });
    const received = await client.settled();
    expect(received.map(({ type }) => type)).toEqual(["job.cancelled", "job.cancelled", "job.error"]);
  });
});

describe("another session of the owner", () => {
  it("may not, without the control feature [reading-who-may-cancel]", async () => {
    const other = await opened("ann", WITHOUT_CONTROL);
    const request = other.send("job.cancel", { job_id: job });
    expect(refusals(await other.settled())).toEqual([["PERMISSION_DENIED", request]]);
    expect(runtime.puppet(job).ctx.signal.aborted).toBe(false);
  });

  it("may not by subscribing [arcp-7.6-no-authority] [arcp-14-subscription-no-cancel]", async () => {
    const other = await opened("ann", WITHOUT_CONTROL);
    other.send("job.subscribe", { job_id: job });
    await other.settled();
    other.send("job.cancel", { job_id: job });
    expect(refusals(await other.settled()).map(([code]) => code)).toEqual(["PERMISSION_DENIED"]);
  });

  it("may, with the control feature; both sessions see the end", async () => {
    const other = await opened("ann", ["x-leasehold.control"]);
    other.send("job.cancel", { job_id: job });
    expect((await other.settled()).map(({ type }) => type)).toEqual(["job.cancelled"]);
    expect((await client.settled()).map(({ type }) => type)).toEqual(["job.error"]);
  });
});

describe("another principal", () => {
  it("gets for a foreign job the answer for an unknown one [reading-foreign-job] [law-principals-apart]", async () => {
    const bob = await opened("bob", ALL_FEATURES);
    const payloadsFor = async (id: string) => {
      bob.send("job.cancel", { job_id: id });
      return theOne(await bob.settled(), "session.error").payload.message.replace(id, "JOB");
    };
    expect(await payloadsFor(job)).toBe(await payloadsFor("job_nowhere"));
    expect(runtime.puppet(job).ctx.signal.aborted).toBe(false);
    expect(await client.settled()).toEqual([]);
  });
});
