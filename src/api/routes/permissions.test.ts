import { describe, expect, it, vi } from "vitest";
import type { JobHost } from "../../kernel/agents-port.ts";
import { anAgent } from "../../kernel/test-kernel.ts";
import { createTestApi, type TestApi } from "../test-api.ts";

/** What sockets do takes as long as it takes. */
const until = <Result>(check: () => Result | Promise<Result>) => vi.waitFor(check, { timeout: 30_000 });

const TRIPLE = { permission: "tool.call", resource: "refund", operation: "call" };
/** Asks once, and returns what it was granted; what its input says is asked with it. */
const asking = anAgent("asking", async (host: JobHost, input: unknown) => {
  const grant = await host.requestPermission({ ...TRIPLE, ...(input as object) });
  await new Promise<void>((resolve) => {
    if ((input as { stay?: boolean }).stay !== true) resolve();
    host.signal.addEventListener("abort", () => resolve());
  });
  return grant as unknown as object;
});
const AGENTS = [asking];

const post = (body?: object, token = "me") =>
  ({ method: "POST", token, ...(body === undefined ? {} : { body }) }) as const;

/** A job that waits for somebody, and what it asks for. */
async function ask(api: TestApi, input: object = {}, token = "me") {
  const job = await api.submit("asking", { input }, token);
  const [permission] = await until(async () => {
    const { json } = await api.call(`/api/permissions?state=pending&job=${job}`, { token });
    expect(json.permissions).toHaveLength(1);
    return json.permissions;
  });
  return { job, id: permission.permission_id as string, permission };
}

describe("GET /api/permissions", () => {
  it("lists what jobs ask for, newest first, by state and job, page by page", async () => {
    const api = await createTestApi({ agents: AGENTS });
    const asked = [];
    for (let index = 0; index < 3; index++)
      asked.unshift(await ask(api, { args: { index }, reason: `number ${index}` }));
    const [newest] = asked;
    expect(newest?.permission).toMatchObject({
      ...TRIPLE,
      job_id: newest?.job,
      agent: "asking@1.0.0",
      principal: "t/me",
      state: "pending",
      args: { index: 2 },
      reason: "number 2",
    });
    const seen: string[] = [];
    let cursor = "";
    do {
      const { json } = await api.call(`/api/permissions?limit=2${cursor && `&cursor=${cursor}`}`);
      seen.push(...json.permissions.map((one: { permission_id: string }) => one.permission_id));
      cursor = json.next_cursor ?? "";
    } while (cursor !== "");
    expect(seen).toEqual(asked.map(({ id }) => id));
    const granted = await api.call("/api/permissions?state=granted,denied");
    expect(granted.json).toEqual({ permissions: [] });
  });

  it("ends a page where arguments get long", async () => {
    const api = await createTestApi({ agents: AGENTS });
    for (let index = 0; index < 34; index++) await ask(api, { args: "x".repeat(16_000) });
    const first = await api.call("/api/permissions?limit=200");
    expect(first.json.permissions).toHaveLength(32);
    const second = await api.call(`/api/permissions?limit=200&cursor=${first.json.next_cursor}`);
    expect(second.json.permissions).toHaveLength(2);
    expect(second.json).not.toHaveProperty("next_cursor");
  });

  it("ends a page where what is asked for gets long", async () => {
    const api = await createTestApi({ agents: AGENTS });
    const long = { resource: "x".repeat(4_096), reason: "y".repeat(2_048) };
    for (let index = 0; index < 66; index++) await ask(api, long);
    const first = await api.call("/api/permissions?limit=200");
    expect(first.json.permissions).toHaveLength(64);
    expect(first.json).toHaveProperty("next_cursor");
  });

  it("is the caller's own, and an operator's whole tenant", async () => {
    const api = await createTestApi({ agents: AGENTS, observe: { "t/you": ["t/me"] } });
    const { id } = await ask(api);
    const seenBy = async (token: string): Promise<number> =>
      (await api.call("/api/permissions", { token })).json.permissions.length;
    expect([await seenBy("me"), await seenBy("you"), await seenBy("boss"), await seenBy("stranger")]).toEqual([
      1, 1, 1, 0,
    ]);
    const one = async (token: string): Promise<number> => (await api.call(`/api/permissions/${id}`, { token })).status;
    expect([await one("me"), await one("you"), await one("boss"), await one("stranger")]).toEqual([200, 200, 200, 404]);
    const audited = await api.call("/api/audit?action=job.read", { token: "boss" });
    expect(
      audited.json.entries.map(({ principal, allowed }: { principal: string; allowed: boolean }) => [
        principal,
        allowed,
      ]),
    ).toEqual(
      expect.arrayContaining([
        ["t/you", true],
        ["u/stranger", false],
      ]),
    );
  });

  it.each([
    ["state=lost", "query.state"],
    ["limit=201", "query.limit"],
    ["cursor=nonsense", "query.cursor"],
    ["agent=asking", "query.agent"],
  ])("refuses %s by its name", async (query, field) => {
    const { call } = await createTestApi();
    expect(await call(`/api/permissions?${query}`)).toMatchObject({
      status: 400,
      json: { error: { code: "INVALID_REQUEST", details: { field } } },
    });
  });
});

it("GET /api/jobs/{job_id} says that a person is waited for", async () => {
  const api = await createTestApi({ agents: AGENTS });
  const { id, job } = await ask(api);
  const waiting = await api.call(`/api/jobs/${job}`);
  expect(waiting.json).toMatchObject({
    status: "running",
    waiting_for: { reason: "person", message: `a person to decide ${id}: tool.call refund (call)` },
  });
  await api.call(`/api/permissions/${id}:grant`, post());
  await until(async () => expect((await api.call(`/api/jobs/${job}`)).json).not.toHaveProperty("waiting_for"));
});

describe("a decision [reading-permission-decision]", () => {
  it("grants, extends and revokes, each answered as it then stands", async () => {
    const api = await createTestApi({ agents: AGENTS });
    const { id, job } = await ask(api, { stay: true });
    const now = api.world.clock.now();
    const at = (ms: number): string => new Date(now + ms).toISOString();
    const granted = await api.call(`/api/permissions/${id}:grant`, post({ lease_seconds: 60, reason: "fine" }));
    expect(granted).toMatchObject({
      status: 200,
      json: { permission_id: id, job_id: job, state: "granted", expires_at: at(60_000), decided_by: "t/me" },
    });
    const lease = granted.json.lease_id;
    // The grant's own name does, too.
    const extended = await api.call(`/api/permissions/${lease}:extend`, post({ additional_seconds: 30 }));
    expect(extended.json).toMatchObject({ state: "granted", expires_at: at(90_000), decision_reason: "fine" });
    const revoked = await api.call(`/api/permissions/${lease}:revoke`, post({ reason: "enough" }, "boss"));
    expect(revoked.json).toMatchObject({ state: "revoked", decided_by: "t/boss", decision_reason: "enough" });
    expect((await api.call(`/api/permissions/${id}`)).json).toEqual(revoked.json);
    const again = await api.call(`/api/permissions/${id}:grant`, post());
    expect(again).toMatchObject({ status: 400, json: { error: { details: { state: "revoked" } } } });
    const { json } = await api.call(`/api/audit?job=${job}`);
    expect(json.entries.map(({ action }: { action: string }) => action)).toEqual(
      expect.arrayContaining(["permission.request", "permission.grant", "permission.extend", "permission.revoke"]),
    );
  });

  it("refuses, and the agent learns of it", async () => {
    const api = await createTestApi({ agents: AGENTS });
    const { id, job } = await ask(api);
    const denied = await api.call(`/api/permissions/${id}:deny`, post({ reason: "not today" }));
    expect(denied).toMatchObject({ status: 200, json: { state: "denied", decision_reason: "not today" } });
    await until(async () =>
      expect((await api.call(`/api/jobs/${job}`)).json).toMatchObject({
        status: "error",
        error: { code: "PERMISSION_DENIED" },
      }),
    );
  });

  it.each(["grant", "deny", "revoke", "extend"])("%s is not for who may only watch, and audited", async (action) => {
    const api = await createTestApi({ agents: AGENTS, observe: { "t/you": ["t/me"] } });
    const { id, job } = await ask(api);
    const body = action === "extend" ? { additional_seconds: 1 } : undefined;
    const path = `/api/permissions/${id}:${action}`;
    const watching = await api.call(path, post(body, "you"));
    expect(watching).toMatchObject({ status: 403, json: { error: { code: "PERMISSION_DENIED" } } });
    const strange = await api.call(path, post(body, "stranger"));
    const unknown = await api.call(`/api/permissions/perm_none:${action}`, post(body, "stranger"));
    expect([strange.status, unknown.status]).toEqual([404, 404]);
    const { error } = strange.json;
    expect(unknown.json.error.message.replace("perm_none", id)).toBe(error.message);
    const { json } = await api.call(`/api/audit?action=permission.${action}`, { token: "boss" });
    expect(json.entries).toMatchObject([
      { principal: "u/stranger", allowed: false, details: { code: "JOB_NOT_FOUND" } },
      { principal: "t/you", allowed: false, job_id: job, details: { code: "PERMISSION_DENIED", via: "api" } },
    ]);
    // What an outsider can read of it names no job.
    const own = await api.call(`/api/audit?action=permission.${action}`, { token: "stranger" });
    expect(JSON.stringify(own.json)).not.toContain(job);
    expect((await api.call(`/api/permissions/${id}`)).json.state).toBe("pending");
  });

  it.each([
    ["grant", { lease_seconds: 0 }, "body.lease_seconds"],
    ["grant", { lease_seconds: 86_401 }, "body.lease_seconds"],
    ["deny", { because: "x" }, "body.because"],
    ["extend", {}, "body.additional_seconds"],
  ])("%s with %j is refused by its name", async (action, body, field) => {
    const api = await createTestApi({ agents: AGENTS });
    expect(await api.call(`/api/permissions/perm_none:${action}`, post(body))).toMatchObject({
      status: 400,
      json: { error: { code: "INVALID_REQUEST", details: { field } } },
    });
  });
});

it("tells the feed of requests and decisions", async () => {
  const api = await createTestApi({ agents: AGENTS });
  const { url } = await api.listen();
  const response = await fetch(`${url}/api/feed`, { headers: { authorization: "Bearer me" } });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const readUntil = (wanted: string) =>
    until(async () => {
      while (!text.includes(wanted)) {
        const read = reader?.read();
        await api.world.advance(1_000);
        text += (await read)?.value ?? "";
      }
    });
  await readUntil("feed.opened");
  const { id } = await ask(api);
  await readUntil('"permission.changed"');
  await api.call(`/api/permissions/${id}:grant`, post());
  await readUntil('"state":"granted"');
  await reader?.cancel();
});
