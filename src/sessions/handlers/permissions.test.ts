import { beforeEach, describe, expect, it } from "vitest";
import { defineAgent } from "../../agents/define-agent.ts";
import { createMemoryStore } from "../../stores/memory/memory-store.ts";
import { createFaultyStore, type FaultyStore } from "../../testing/faulty-store.ts";
import { ALL_FEATURES, ofType, type Received, refusals, type TestClient, theOne } from "../test-client.ts";
import { startTestRuntime, type TestRuntime } from "../test-runtime.ts";

const WITHOUT_PERMISSIONS = ALL_FEATURES.filter((feature) => feature !== "x-leasehold.permissions");
const TRIPLE = { permission: "tool.call", resource: "refund", operation: "call" };

let store: FaultyStore;
let runtime: TestRuntime;
let client: TestClient;
let job: string;

beforeEach(async () => {
  store = createFaultyStore(createMemoryStore());
  runtime = await startTestRuntime({ store, operators: ["boss"], observe: { "tests/eve": ["tests/ann"] } });
  client = runtime.connect();
  await client.open();
  job = (await client.submit("puppet")).payload.job_id;
});

async function opened(token = "ann", features: readonly string[] = ALL_FEATURES): Promise<TestClient> {
  const other = runtime.connect();
  await other.open({ token, features });
  return other;
}

/** The job asks, which nobody may ever answer. */
function ask(more: object = {}): Promise<unknown> {
  const asked = runtime.puppet(job).ctx.requestPermission({ ...TRIPLE, ...more });
  asked.catch(() => {});
  return asked;
}

/** The job asks, and its session hears of it. */
async function asked(more: object = {}): Promise<{ readonly id: string; readonly grant: Promise<unknown> }> {
  const grant = ask(more);
  return { id: theOne(await client.settled(), "permission.request").payload.permission_id, grant };
}

/** Events of permissions, as the state of each. */
const told = (received: readonly Received[]): unknown[] =>
  ofType(received, "job.event")
    .filter(({ payload }) => payload.kind === "x-leasehold.permission")
    .map(({ payload }) => payload.body.state);

describe("permission.request [reading-permission-request]", () => {
  it("comes right before the event that tells of it, without a place of its own", async () => {
    ask({ reason: "they were charged twice", leaseSeconds: 60, args: { order: 17 } });
    const received = await client.settled();
    expect(received.map(({ type }) => type)).toEqual(["permission.request", "job.event"]);
    const [request, event] = received;
    expect(request).toMatchObject({
      job_id: job,
      payload: { ...TRIPLE, job_id: job, reason: "they were charged twice", requested_lease_seconds: 60 },
    });
    expect([request?.event_seq, event?.event_seq]).toEqual([undefined, 1]);
    expect(request?.id).not.toBe(event?.id);
    expect(theOne(received, "job.event").payload).toMatchObject({
      kind: "x-leasehold.permission",
      body: {
        ...TRIPLE,
        state: "pending",
        permission_id: theOne(received, "permission.request").payload.permission_id,
      },
    });
  });

  it("is the same after a resume before the event, and does not come after one behind it", async () => {
    const other = runtime.connect();
    const { payload: welcome } = await other.open();
    job = (await other.submit("puppet")).payload.job_id;
    ask();
    const [first] = ofType(await other.settled(), "permission.request");
    await other.drop();
    const point = { session_id: welcome.session_id, resume_token: welcome.resume_token, last_event_seq: 0 };
    const again = runtime.connect();
    again.resume(point);
    const received = await again.settled();
    expect(received.map(({ type }) => type)).toEqual(["session.welcome", "permission.request", "job.event"]);
    expect(theOne(received, "permission.request")).toEqual(first);
    await again.drop();
    const past = runtime.connect();
    past.resume({ ...point, last_event_seq: 1 });
    expect((await past.settled()).map(({ type }) => type)).toEqual(["session.welcome"]);
  });

  it("comes to another session that re-attaches, and goes on being the same request", async () => {
    client.send("job.submit", { agent: "puppet", idempotency_key: "k" });
    job = theOne(await client.settled(), "job.accepted").payload.job_id;
    const { id } = await asked();
    const other = await opened();
    other.send("job.submit", { agent: "puppet", idempotency_key: "k" });
    expect(theOne(await other.settled(), "permission.request").payload).toMatchObject({ permission_id: id });
  });

  it("is the same after a restart of the runtime, where the job is taken up again", async () => {
    const waiter = defineAgent({
      name: "waiter",
      version: "1.0.0",
      restart: "always",
      run: (ctx) => ctx.requestPermission(TRIPLE),
    });
    const own = createMemoryStore();
    const before = await startTestRuntime({ store: own, agents: [waiter] });
    const first = before.connect();
    const { payload: welcome } = await first.open();
    first.send("job.submit", { agent: "waiter" });
    const request = theOne(await first.settled(), "permission.request");
    const image = createMemoryStore(own.snapshot());
    await before.close();
    const after = await before.restartOn(image);
    const again = after.connect();
    again.resume({ session_id: welcome.session_id, resume_token: welcome.resume_token, last_event_seq: 0 });
    const received = await again.settled();
    expect(ofType(received, "permission.request")).toEqual([request]);
    again.send("permission.grant", { permission_id: request.payload.permission_id });
    await again.after(60_000);
    const { entries } = await image.listAudit({ scopes: ["tests/*"], action: "permission.grant", limit: 10 });
    expect(entries).toHaveLength(1);
    expect((await image.readJob(request.payload.job_id))?.status).toBe("success");
  });

  it("comes from what its job delegates, too, under the child's id", async () => {
    const child = defineAgent({ name: "child", version: "1.0.0", run: (ctx) => ctx.requestPermission(TRIPLE) });
    const parent = defineAgent({
      name: "parent",
      version: "1.0.0",
      run: async (ctx) => (await ctx.delegate("child", null)).result(),
    });
    const own = await startTestRuntime({ agents: [parent, child] });
    const submitter = own.connect();
    await submitter.open();
    submitter.send("job.submit", {
      agent: "parent",
      lease_request: { "agent.delegate": ["child"], "tool.call": ["refund"] },
    });
    const received = await submitter.settled();
    const [root, delegated] = ofType(received, "job.accepted");
    const request = theOne(received, "permission.request");
    expect(delegated?.payload.parent_job_id).toBe(root?.payload.job_id);
    expect(request.payload.job_id).toBe(delegated?.payload.job_id);
    submitter.send("permission.grant", { permission_id: request.payload.permission_id });
    const ends = ofType(await submitter.settled(), "job.result").map(({ job_id }) => job_id);
    expect(ends).toEqual([delegated?.payload.job_id, root?.payload.job_id]);
  });

  it("does not come to who only watches, nor without the feature: these have the event", async () => {
    const watcher = await opened("eve");
    watcher.send("job.subscribe", { job_id: job });
    const plain = await opened("ann", WITHOUT_PERMISSIONS);
    plain.send("job.submit", { agent: "puppet" });
    await watcher.settled();
    const own = theOne(await plain.settled(), "job.accepted").payload.job_id;
    ask();
    expect((await watcher.settled()).map(({ type }) => type)).toEqual(["job.event"]);
    job = own;
    ask();
    expect((await plain.settled()).map(({ type }) => type)).toEqual(["job.event"]);
  });
});

describe("permission.grant [reading-permission-decision]", () => {
  it("is answered once it is durable, and the job goes on", async () => {
    const { id, grant } = await asked();
    store.hold();
    const request = client.send("permission.grant", {
      permission_id: id,
      ...TRIPLE,
      lease_seconds: 60,
      reason: "fine",
    });
    expect(await client.settled()).toEqual([]);
    store.release();
    const received = await client.settled();
    const expires_at = new Date(runtime.world.clock.now() + 60_000).toISOString();
    const { payload } = theOne(received, "lease.granted");
    expect(payload).toMatchObject({ ...TRIPLE, permission_id: id, job_id: job, expires_at, request_id: request });
    expect(told(received)).toEqual(["granted"]);
    expect(await grant).toMatchObject({ leaseId: payload.lease_id });
  });

  it("answers the same to the same again, and refuses another decision", async () => {
    const { id } = await asked();
    client.send("permission.grant", { permission_id: id });
    const first = theOne(await client.settled(), "lease.granted").payload;
    client.send("permission.grant", { permission_id: id });
    const { request_id, ...again } = theOne(await client.settled(), "lease.granted").payload;
    expect(first).toMatchObject(again);
    client.send("permission.deny", { permission_id: id });
    expect(refusals(await client.settled())).toEqual([["INVALID_REQUEST", expect.any(String)]]);
  });

  it.each(["permission", "resource", "operation"])("says what it grants, or is refused: %s", async (field) => {
    const { id } = await asked();
    client.send("permission.grant", { permission_id: id, ...TRIPLE, [field]: "fs.write" });
    const [refusal] = ofType(await client.settled(), "session.error");
    expect(refusal?.payload).toMatchObject({ code: "INVALID_REQUEST", details: { field: `payload.${field}` } });
  });

  it("may come from an operator, from whatever session, and is known as theirs", async () => {
    const { id } = await asked();
    const boss = await opened("boss");
    boss.send("permission.grant", { permission_id: id });
    expect((await boss.settled()).map(({ type }) => type)).toEqual(["lease.granted"]);
    client.send("session.list_permissions", { job_id: job });
    expect(theOne(await client.settled(), "session.permissions").payload.permissions).toMatchObject([
      { permission_id: id, state: "granted", decided_by: "tests/boss" },
    ]);
  });
});

it("permission.deny is answered, and the agent learns why", async () => {
  const { id, grant } = await asked();
  const request = client.send("permission.deny", { permission_id: id, reason: "too much" });
  const received = await client.settled();
  expect(theOne(received, "permission.denied").payload).toMatchObject({ permission_id: id, request_id: request });
  expect(told(received)).toEqual(["denied"]);
  await expect(grant).rejects.toMatchObject({ code: "PERMISSION_DENIED", details: { reason: "too much" } });
});

it("lease.refresh and lease.revoke move the end of a grant, and end it", async () => {
  const { id } = await asked();
  client.send("permission.grant", { permission_id: id, lease_seconds: 60 });
  const { lease_id, expires_at } = theOne(await client.settled(), "lease.granted").payload;
  client.send("lease.refresh", { lease_id, additional_seconds: 30 });
  const extended = theOne(await client.settled(), "lease.extended").payload;
  expect(Date.parse(extended.expires_at) - Date.parse(expires_at)).toBe(30_000);
  const use = (): Promise<unknown> => runtime.puppet(job).ctx.tool("refund", {}, () => "done");
  const allowed = use();
  await runtime.world.settle();
  expect(await allowed).toBe("done");
  client.send("lease.revoke", { lease_id, reason: "enough" });
  const received = await client.settled();
  expect(theOne(received, "lease.revoked").payload).toMatchObject({ lease_id, reason: "enough" });
  expect(told(received)).toEqual(["revoked"]);
  const refused = use();
  refused.catch(() => {});
  await runtime.world.settle();
  await expect(refused).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
});

describe("who may decide [reading-permission-decision]", () => {
  const DECISIONS = [
    ["permission.grant", "permission_id", {}],
    ["permission.deny", "permission_id", {}],
    ["lease.refresh", "lease_id", { additional_seconds: 1 }],
    ["lease.revoke", "lease_id", {}],
  ] as const;

  it.each(DECISIONS)("%s: a watcher not, and to strangers it is as if there were none", async (type, name, more) => {
    const { id } = await asked();
    const named = name === "lease_id" ? id.replace("perm_", "lease_") : id;
    const watcher = await opened("eve");
    watcher.send(type, { [name]: named, ...more });
    const stranger = await opened("zoe");
    stranger.send(type, { [name]: named, ...more });
    stranger.send(type, { [name]: "perm_none", ...more });
    expect(refusals(await watcher.settled()).map(([code]) => code)).toEqual(["PERMISSION_DENIED"]);
    const [hidden, unknown] = ofType(await stranger.settled(), "session.error").map(({ payload }) => payload);
    expect(hidden?.code).toBe("JOB_NOT_FOUND");
    expect(unknown?.message).toBe(hidden?.message.replace(id, "perm_none"));
    expect(told(await client.settled())).toEqual([]);
    const { entries } = await store.listAudit({ scopes: ["tests/*"], limit: 10 });
    expect(entries.filter(({ allowed }) => !allowed).map(({ principal, job: of }) => [principal, of])).toEqual([
      ["tests/zoe", null],
      ["tests/zoe", null],
      ["tests/eve", job],
    ]);
  });

  it("needs the feature", async () => {
    const plain = await opened("ann", WITHOUT_PERMISSIONS);
    for (const [type, name, more] of DECISIONS) plain.send(type, { [name]: "perm_1", ...more });
    plain.send("session.list_permissions");
    const received = ofType(await plain.settled(), "session.error");
    expect(received.map(({ payload }) => payload.details)).toEqual(
      Array.from({ length: 5 }, () => ({ feature: "x-leasehold.permissions" })),
    );
  });
});

describe("session.list_permissions", () => {
  it("lists what the caller may see, newest first, by state and job, and says when there is more", async () => {
    const first = await asked({ args: { order: 1 } });
    const second = await asked({ args: { order: 2 } });
    client.send("permission.deny", { permission_id: first.id });
    await client.settled();
    const list = async (of: TestClient, filter: object = {}) => {
      of.send("session.list_permissions", filter as never);
      const { permissions, more } = theOne(await of.settled(), "session.permissions").payload;
      return { ids: permissions.map(({ permission_id }) => permission_id), permissions, more };
    };
    const all = await list(client);
    expect(all).toMatchObject({ ids: [second.id, first.id], more: false });
    expect(all.permissions[0]).toMatchObject({
      ...TRIPLE,
      args: { order: 2 },
      agent: "puppet@1.0.0",
      state: "pending",
    });
    expect(all.permissions[0]).not.toHaveProperty("principal");
    expect(await list(client, { state: "denied" })).toMatchObject({ ids: [first.id] });
    expect(await list(client, { limit: 1 })).toMatchObject({ ids: [second.id], more: true });
    expect(await list(client, { job_id: "job_other" })).toMatchObject({ ids: [], more: false });
    const watcher = await list(await opened("eve"));
    expect(watcher.permissions[0]).toMatchObject({ permission_id: second.id, principal: "tests/ann" });
    expect(await list(await opened("zoe"))).toMatchObject({ ids: [], more: false });
  });

  it("ends when the frame gets long, and says so", async () => {
    for (let many = 0; many < 3; many++) {
      job = (await client.submit("puppet")).payload.job_id;
      for (let index = 0; index < 30; index++) ask({ args: "x".repeat(16_000), key: `${index}` });
      await client.settled();
    }
    client.send("session.list_permissions", { limit: 1_000 });
    const { permissions, more } = theOne(await client.settled(), "session.permissions").payload;
    expect({ count: permissions.length, more }).toEqual({ count: 65, more: true });
  });

  it("counts all that a row has, as it is written", async () => {
    const reason = "\u0001".repeat(2_000);
    for (let many = 0; many < 2; many++) {
      job = (await client.submit("puppet")).payload.job_id;
      for (let index = 0; index < 60; index++) ask({ resource: "\u0001".repeat(4_000), reason, key: `${index}` });
      await client.settled();
    }
    client.send("session.list_permissions", { limit: 1_000 });
    const { permissions, more } = theOne(await client.settled(), "session.permissions").payload;
    expect({ count: permissions.length, more }).toEqual({ count: 29, more: true });
  });
});
