/** Who sees and stops whose jobs over a session, and what is written down about it. */
import { beforeEach, describe, expect, it } from "vitest";
import { createVisibility } from "../../identity/visibility.ts";
import type { AuditQuery } from "../../kernel/audit/audit-row.ts";
import { createMemoryStore, type MemoryStore } from "../../stores/memory/memory-store.ts";
import { ALL_FEATURES, isSequenced, ofType, refusals, type TestClient, theOne } from "../test-client.ts";
import { startTestRuntime, type TestRuntime } from "../test-runtime.ts";

const WITHOUT_CONTROL = ALL_FEATURES.filter((feature) => feature !== "x-leasehold.control");

let store: MemoryStore;
let runtime: TestRuntime;
/** Submits `job`. */
let ann: TestClient;
let job: string;

async function start(observe = {}): Promise<void> {
  store = createMemoryStore();
  runtime = await startTestRuntime({ store, observe, operators: ["root", "other/root"] });
  ann = await opened("ann");
  job = (await ann.submit("puppet")).payload.job_id;
}

async function opened(token: string, features: readonly string[] = ALL_FEATURES): Promise<TestClient> {
  const client = runtime.connect();
  await client.open({ token, features });
  return client;
}

/** Who did what to which job, and whether it was allowed: oldest first. */
async function audited(query: Partial<AuditQuery> = {}): Promise<unknown[]> {
  await runtime.world.settle();
  const { entries } = await store.listAudit({ scopes: ["tests/*", "other/*", "*"], limit: 100, ...query });
  return entries
    .toReversed()
    .map(({ principal, action, job: id, owner, allowed, details }) => [
      principal,
      action,
      id,
      owner,
      allowed,
      JSON.parse(details),
    ]);
}

async function listed(client: TestClient): Promise<string[]> {
  client.send("session.list_jobs");
  return theOne(await client.settled(), "session.jobs").payload.jobs.map(({ job_id }) => job_id);
}

async function subscribe(client: TestClient, id: string): Promise<string> {
  client.send("job.subscribe", { job_id: id, history: true });
  const received = await client.settled();
  return ofType(received, "job.subscribed").length === 1 ? "subscribed" : String(refusals(received)[0]?.[0]);
}

async function cancel(client: TestClient, id: string): Promise<string> {
  client.send("job.cancel", { job_id: id, reason: "enough" });
  const received = await client.settled();
  return ofType(received, "job.cancelled").length === 1 ? "cancelled" : String(refusals(received)[0]?.[0]);
}

describe("without a policy [arcp-14-same-principal-default]", () => {
  beforeEach(() => start());

  it("the owner sees a job from every session, and the decision is audited [arcp-7.6-submitter-observes]", async () => {
    const elsewhere = await opened("ann");
    expect(await listed(elsewhere)).toEqual([job]);
    expect(await subscribe(elsewhere, job)).toBe("subscribed");
    expect(await audited()).toEqual([["tests/ann", "job.subscribe", job, "tests/ann", true, {}]]);
  });

  it("nobody else does, which is audited with both principals [arcp-14-subscriptions-audited]", async () => {
    const bob = await opened("bob");
    expect(await listed(bob)).toEqual([]);
    expect(await subscribe(bob, job)).toBe("JOB_NOT_FOUND");
    expect(await cancel(bob, job)).toBe("JOB_NOT_FOUND");
    expect(await subscribe(bob, "job_nowhere")).toBe("JOB_NOT_FOUND");
    const code = { code: "JOB_NOT_FOUND" };
    expect(await audited()).toEqual([
      ["tests/bob", "job.subscribe", job, "tests/ann", false, code],
      ["tests/bob", "job.cancel", job, "tests/ann", false, code],
      ["tests/bob", "job.subscribe", "job_nowhere", null, false, code],
    ]);
  });

  it("who was refused reads the same of a hidden job as of one that never was", async () => {
    const bob = { id: "bob", tenant: "tests", roles: ["user" as const] };
    const visibility = createVisibility();
    const client = await opened("bob");
    for (const id of [job, "job_nowhere"]) await subscribe(client, id);
    await runtime.world.settle();
    const { entries } = await store.listAudit({ scopes: visibility.auditScopes(bob), limit: 9 });
    const seen = entries.map((entry) => ({ ...visibility.auditView(bob, entry), seq: 0, job: "JOB" }));
    expect(seen).toHaveLength(2);
    expect(seen[0]).toEqual(seen[1]);
  });

  it("an operator sees and stops the jobs of the tenant, which is audited [reading-control]", async () => {
    const root = await opened("root");
    const own = (await root.submit("echo", 1)).payload.job_id;
    root.send("session.list_jobs");
    const { jobs } = theOne(await root.settled(), "session.jobs").payload;
    expect(jobs.map(({ job_id, principal }) => [job_id, principal])).toEqual([
      [own, undefined],
      [job, "tests/ann"],
    ]);
    expect(await subscribe(root, job)).toBe("subscribed");
    expect(await cancel(root, job)).toBe("cancelled");
    expect(theOne(await ann.settled(), "job.error").payload.code).toBe("CANCELLED");
    expect(await audited()).toEqual([
      ["tests/root", "job.subscribe", job, "tests/ann", true, {}],
      ["tests/root", "job.cancel", job, "tests/ann", true, { reason: "enough" }],
    ]);
  });

  it("an operator without the control feature sees, and is told what it takes to stop [arcp-7.6-no-authority]", async () => {
    const root = await opened("root", WITHOUT_CONTROL);
    expect(await subscribe(root, job)).toBe("subscribed");
    root.send("job.cancel", { job_id: job });
    const { payload } = theOne(await root.settled(), "session.error");
    expect(payload).toMatchObject({
      code: "PERMISSION_DENIED",
      message: expect.stringContaining("x-leasehold.control"),
    });
    expect((await audited({ action: "job.cancel" }))[0]).toEqual([
      "tests/root",
      "job.cancel",
      job,
      "tests/ann",
      false,
      { code: "PERMISSION_DENIED" },
    ]);
  });

  it("an operator of another tenant is a stranger, as is who has the same id there", async () => {
    for (const token of ["other/root", "other/ann"]) {
      const client = await opened(token);
      expect(await listed(client)).toEqual([]);
      expect(await subscribe(client, job)).toBe("JOB_NOT_FOUND");
      expect(await cancel(client, job)).toBe("JOB_NOT_FOUND");
    }
  });

  it("the owner's cancels are audited from elsewhere, and not from the session that submitted the job", async () => {
    const elsewhere = await opened("ann");
    expect(await cancel(elsewhere, job)).toBe("cancelled");
    const second = (await ann.submit("puppet")).payload.job_id;
    expect(await cancel(ann, second)).toBe("cancelled");
    expect(await audited()).toEqual([["tests/ann", "job.cancel", job, "tests/ann", true, { reason: "enough" }]]);
  });
});

describe("with a policy [arcp-14-explicit-policy] [arcp-7.6-verify-principal]", () => {
  beforeEach(() => start({ "tests/dashboard": ["tests/*"], "other/*": ["tests/ann"] }));

  it("an observer lists and follows, and does not stop [arcp-6.6-broader-by-policy] [arcp-14-subscription-no-cancel] [arcp-7.6-policy]", async () => {
    const dashboard = await opened("dashboard");
    const own = (await dashboard.submit("puppet")).payload.job_id;
    expect(await listed(dashboard)).toEqual([own, job]);
    expect(await subscribe(dashboard, job)).toBe("subscribed");
    await runtime.puppet(job).ctx.log("seen");
    expect((await dashboard.settled()).filter(isSequenced)).toHaveLength(1);
    expect(await cancel(dashboard, job)).toBe("PERMISSION_DENIED");
    runtime.puppet(job).finish("done");
    await dashboard.settled();
    expect(await cancel(dashboard, job)).toBe("PERMISSION_DENIED");
    expect(await cancel(dashboard, own)).toBe("cancelled");
  });

  it("holds across tenants where it says so, and nowhere else", async () => {
    const bobs = (await (await opened("bob")).submit("puppet")).payload.job_id;
    const stranger = await opened("other/eve");
    expect(await listed(stranger)).toEqual([job]);
    expect(await subscribe(stranger, bobs)).toBe("JOB_NOT_FOUND");
    const bob = await opened("bob");
    expect(await subscribe(bob, job)).toBe("JOB_NOT_FOUND");
  });

  it("that is narrower after a restart ends what it no longer allows, before anything more is sent", async () => {
    const dashboard = runtime.connect();
    const welcome = await dashboard.open({ token: "dashboard" });
    const own = (await dashboard.submit("puppet")).payload.job_id;
    expect(await subscribe(dashboard, job)).toBe("subscribed");
    await dashboard.drop();
    await runtime.puppet(job).ctx.log("not seen");
    await runtime.close();
    runtime = await runtime.restartOn(createMemoryStore(store.snapshot()), { observe: {} });
    const back = runtime.connect();
    back.resume({ ...welcome.payload, last_event_seq: 0 }, "dashboard");
    const received = await back.settled();
    theOne(received, "session.welcome");
    // Its own job ended with the restart; of the other one nothing comes any more.
    expect(received.filter(isSequenced).map(({ job_id }) => job_id)).toEqual([own]);
    expect(await subscribe(back, job)).toBe("JOB_NOT_FOUND");
  });
});

describe("roles that change under a live session", () => {
  beforeEach(() => start());

  it("end what they allowed, and begin to allow, at the next check", async () => {
    const root = await opened("root");
    const bob = await opened("bob");
    expect(await subscribe(root, job)).toBe("subscribed");
    runtime.operators.delete("root");
    runtime.operators.add("bob");
    await runtime.world.advance(10_000);
    root.take();
    bob.take();
    await runtime.puppet(job).ctx.log("for operators");
    expect((await root.settled()).filter(isSequenced)).toEqual([]);
    expect(await subscribe(root, job)).toBe("JOB_NOT_FOUND");
    expect(await listed(bob)).toEqual([job]);
    expect(await cancel(bob, job)).toBe("cancelled");
  });
});

describe("who cannot authenticate", () => {
  beforeEach(() => start());

  it("is audited by where they came from, once a minute for the same [reading-failed-authentication-audited]", async () => {
    for (let attempt = 0; attempt < 5; attempt++) {
      runtime.connect().hello({ token: "bad" });
      await runtime.world.settle();
    }
    const refused = (details: object) => [null, "session.authenticate", null, null, false, details];
    const reason = "the token is unknown, revoked or expired";
    const told = { code: "UNAUTHENTICATED", reason, source: "memory" };
    expect(await audited()).toEqual([refused(told)]);
    await runtime.world.advance(60_000);
    expect(await audited()).toEqual([refused(told), refused({ ...told, repeated: 4 })]);
    expect(JSON.stringify(await audited())).not.toContain("bad");
  });

  it("or takes up a session that is not theirs, is audited with both principals", async () => {
    const welcome = await runtime.connect().open({ token: "ann" });
    const bob = runtime.connect();
    bob.resume({ ...welcome.payload, last_event_seq: 0 }, "bob");
    await bob.settled();
    const thief = runtime.connect();
    thief.resume({ ...welcome.payload, resume_token: "rt_wrong", last_event_seq: 0 }, "ann");
    await thief.settled();
    expect((await audited()).map((entry) => (entry as unknown[]).slice(0, 5))).toEqual([
      ["tests/bob", "session.authenticate", null, "tests/ann", false],
      ["tests/ann", "session.authenticate", null, "tests/ann", false],
    ]);
  });
});
