import { beforeEach, describe, expect, it, vi } from "vitest";
import type { JsonObject } from "../../protocol/fields.ts";
import type { PayloadOf } from "../../protocol/registry.ts";
import { ofType, type TestClient, theOne } from "../test-client.ts";
import { startTestRuntime, type TestRuntime } from "../test-runtime.ts";

let runtime: TestRuntime;
let client: TestClient;
/** Oldest first: two finished, one failed, two running; a minute apart, beginning at midnight. */
let jobs: string[];

beforeEach(async () => {
  runtime = await startTestRuntime({ heartbeatIntervalSec: 86_400 });
  client = runtime.connect();
  await client.open();
  jobs = [];
  for (const agent of ["echo", "echo", "puppet", "puppet", "puppet"]) {
    jobs.push((await client.submit(agent)).payload.job_id);
    await runtime.world.advance(60_000);
  }
  runtime.puppet(jobs[2] as string).fail(new Error("broken"));
  await client.settled();
});

async function list(payload: JsonObject = {}, from = client): Promise<PayloadOf<"session.jobs">> {
  from.send("session.list_jobs", payload);
  return theOne(await from.settled(), "session.jobs").payload;
}

/** Which jobs a listing holds, by their place in `jobs`. */
async function listed(payload: JsonObject): Promise<number[]> {
  return (await list(payload)).jobs.map(({ job_id }) => jobs.indexOf(job_id));
}

describe("a listing", () => {
  it("holds the principal's jobs, newest first, with the request's id [arcp-6.6-answers-request] [arcp-6.6-filters-optional]", async () => {
    const request = client.send("session.list_jobs");
    const { payload } = theOne(await client.settled(), "session.jobs");
    expect(payload.request_id).toBe(request);
    expect(payload.jobs.map(({ job_id }) => job_id)).toEqual([...jobs].reverse());
    expect(payload.next_cursor).toBeUndefined();
  });

  it("shows what a job is and how far it got [arcp-7.5-resolved-shown]", async () => {
    expect((await list()).jobs.at(-1)).toEqual({
      job_id: jobs[0],
      agent: "echo@1.0.0",
      status: "success",
      lease: {},
      created_at: "2026-01-01T00:00:00.000Z",
      trace_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      last_event_seq: 2,
    });
  });

  it.each<[JsonObject, number[]]>([
    [{ filter: {} }, [4, 3, 2, 1, 0]],
    [{ filter: { status: ["running"] } }, [4, 3]],
    [{ filter: { status: ["success", "error"] } }, [2, 1, 0]],
    [{ filter: { status: [] } }, []],
    [{ filter: { agent: "echo" } }, [1, 0]],
    [{ filter: { agent: "puppet@1.0.0" } }, [4, 3, 2]],
    [{ filter: { agent: "puppet@2.0.0" } }, []],
    [{ filter: { created_after: "2026-01-01T00:02:30Z" } }, [4, 3]],
    [{ filter: { created_before: "2026-01-01T01:00:30+01:00" } }, [0]],
    [
      { filter: { created_after: "2026-01-01T00:00:30Z", created_before: "2026-01-01T00:03:30Z", agent: "puppet" } },
      [3, 2],
    ],
    [{ status: ["running"] }, [4, 3]],
    [{ status: "running", agent: "puppet" }, [4, 3]],
  ])("with %j holds %j [reading-list-filter]", async (payload, expected) => {
    expect(await listed(payload)).toEqual(expected);
  });

  it.each([[{ filter: { status: ["paused"] } }], [{ filter: { created_after: "yesterday" } }], [{ limit: 0 }]])(
    "with %j is refused",
    async (payload) => {
      client.send("session.list_jobs", payload);
      expect(theOne(await client.settled(), "session.error").payload.code).toBe("INVALID_REQUEST");
    },
  );

  it("comes page by page, each job once, also while jobs are added", async () => {
    const seen: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await list({ limit: 2, cursor });
      seen.push(...page.jobs.map(({ job_id }) => jobs.indexOf(job_id)));
      cursor = page.next_cursor;
      await client.submit("echo");
    } while (cursor !== undefined);
    expect(seen).toEqual([4, 3, 2, 1, 0]);
  });

  it("is cut short, with a cursor, where leases are large", async () => {
    // Half of `PAGE_LENGTH`: sixteen namespaces with patterns as long as they may be together.
    const patterns = Array.from({ length: 32 }, (_, index) => `${index}`.padEnd(1_024, "x"));
    const namespaces = Array.from({ length: 16 }, (_, index) => `x-acme.n${index}`);
    const lease_request = Object.fromEntries(namespaces.map((namespace) => [namespace, patterns]));
    for (let job = 0; job < 3; job++) jobs.push((await client.submit("echo", 1, { lease_request })).payload.job_id);
    const first = await list();
    const second = await list({ cursor: first.next_cursor });
    expect([first, second].map((page) => page.jobs.map(({ job_id }) => jobs.indexOf(job_id)))).toEqual([
      [7, 6],
      [5, 4, 3, 2, 1, 0],
    ]);
    expect(second.next_cursor).toBeUndefined();
  });

  it("waits for its turn, and many are answered in order", async () => {
    const listJobs = vi.spyOn(runtime.store, "listJobs");
    const requests = Array.from({ length: 20 }, () => client.send("session.list_jobs"));
    const answers = ofType(await client.settled(), "session.jobs");
    expect(answers.map(({ payload }) => payload.request_id)).toEqual(requests);
    expect(listJobs).toHaveBeenCalledTimes(20);
  });

  it("that waits is not read once the connection is gone", async () => {
    const listJobs = vi.spyOn(runtime.store, "listJobs");
    client.send("session.list_jobs");
    await client.drop();
    await runtime.world.settle();
    expect(listJobs).not.toHaveBeenCalled();
  });

  it("pages within a filter", async () => {
    const first = await list({ filter: { agent: "puppet" }, limit: 2 });
    const second = await list({ filter: { agent: "puppet" }, limit: 2, cursor: first.next_cursor });
    expect([...first.jobs, ...second.jobs].map(({ job_id }) => jobs.indexOf(job_id))).toEqual([4, 3, 2]);
    expect(second.next_cursor).toBeUndefined();
  });

  it("subscribes to nothing [arcp-6.6-no-subscription]", async () => {
    const other = runtime.connect();
    await other.open();
    expect((await list({}, other)).jobs).toHaveLength(5);
    await runtime.puppet(jobs[4] as string).ctx.log("unseen");
    expect(await other.settled()).toEqual([]);
  });

  it("holds nothing of another principal, whatever the cursor [arcp-6.6-scope] [arcp-6.6-no-leak] [law-principals-apart]", async () => {
    const bob = runtime.connect();
    await bob.open({ token: "bob" });
    expect((await list({}, bob)).jobs).toEqual([]);
    expect((await list({ cursor: jobs[3] }, bob)).jobs).toEqual([]);
    const his = (await bob.submit("echo")).payload.job_id;
    expect((await list({}, bob)).jobs.map(({ job_id }) => job_id)).toEqual([his]);
    expect((await list({ cursor: his })).jobs).toEqual([]);
  });
});
