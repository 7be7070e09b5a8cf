import { expect, it } from "vitest";
import { open, submitEcho } from "./test-rig.ts";

it("gives the jobs of all pages, asking for each as it is needed", async () => {
  const rig = await open();
  const ids = [];
  for (let count = 0; count < 7; count++) ids.push((await submitEcho(rig)).id);
  rig.runtime.pageSize = 3;
  const listings = rig.session.jobs();
  expect(rig.runtime.sent("session.list_jobs")).toEqual([]);
  for (let time = 0; time < 2; time++) {
    const found: string[] = [];
    const reading = (async () => {
      for await (const job of listings) found.push(job.id);
    })();
    await rig.settled(reading);
    expect(found).toEqual(ids);
  }
  expect(rig.runtime.sent("session.list_jobs").map(({ payload }) => payload.cursor)).toEqual([
    ...[undefined, "3", "6"],
    ...[undefined, "3", "6"],
  ]);
  const leaving = (async () => {
    for await (const job of listings) return job.id;
  })();
  expect(await rig.settled(leaving)).toBe(ids[0]);
  expect(rig.runtime.sent("session.list_jobs")).toHaveLength(7);
});

it("sends every filter, and gives a page at a time", async () => {
  const rig = await open();
  const { id } = await submitEcho(rig);
  await submitEcho(rig);
  const createdAfter = new Date("2025-01-01T00:00:00Z");
  const filter = { status: ["running", "pending"], agent: "echo@1.0.0", createdAfter } as const;
  const listings = rig.session.jobs({ ...filter, createdBefore: "2027-01-01T00:00:00Z", pageSize: 1 });
  const first = await rig.settled(listings.page());
  expect(rig.runtime.sent("session.list_jobs")[0]?.payload).toEqual({
    filter: {
      status: ["running", "pending"],
      agent: "echo@1.0.0",
      created_after: "2025-01-01T00:00:00.000Z",
      created_before: "2027-01-01T00:00:00Z",
    },
    limit: 1,
    cursor: undefined,
  });
  expect(first).toMatchObject({ jobs: [{ id, agent: "echo@1.0.0", status: "running" }], nextCursor: "1" });
  const last = await rig.settled(listings.page(first.nextCursor));
  expect(last).toMatchObject({ jobs: [{}], nextCursor: undefined });
});

it("rejects, and does not throw, for a time that is none", async () => {
  const rig = await open();
  await expect(rig.session.jobs({ createdAfter: new Date(Number.NaN) }).page()).rejects.toThrow(RangeError);
});

it("does not go round in circles with a runtime that does", async () => {
  const rig = await open();
  await submitEcho(rig);
  rig.runtime.onMessage = (message, reply) => {
    if (message.type !== "session.list_jobs") return false;
    reply({ type: "session.jobs", payload: { request_id: message.id, jobs: [], next_cursor: "again" } });
    return true;
  };
  const reading = (async () => {
    for await (const job of rig.session.jobs()) void job;
  })();
  await expect(rig.settled(reading)).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
  expect(rig.runtime.sent("session.list_jobs")).toHaveLength(2);
});
