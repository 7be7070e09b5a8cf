import { describe, expect, it, vi } from "vitest";
import { echo, endless } from "../kernel/test-kernel.ts";
import { createTestApi } from "./test-api.ts";

const REFUSAL = { message: expect.any(String), request_id: expect.stringMatching(/^req_/) };

describe("who calls", () => {
  it("has to say so", async () => {
    const { call } = await createTestApi();
    const answer = await call("/api/jobs", { token: null });
    expect(answer).toMatchObject({ status: 401, headers: { "www-authenticate": 'Bearer realm="leasehold"' } });
    expect(answer.json.error).toEqual({ code: "UNAUTHENTICATED", retryable: false, ...REFUSAL });
  });

  it("is told when the token is not good, and not which part of it", async () => {
    const { call } = await createTestApi();
    const answer = await call("/api/jobs", { token: "nobody" });
    expect(answer.status).toBe(401);
    expect(answer.headers["www-authenticate"]).toContain('error="invalid_token"');
    expect(await call("/api/jobs", { token: null, headers: { authorization: "Basic bWU6bWU=" } })).toMatchObject({
      status: 401,
    });
  });

  it("is not let in when tokens cannot be looked up, and hears no more of it", async () => {
    const { call, errors } = await createTestApi();
    const answer = await call("/api/jobs", { token: "unreadable" });
    expect(answer).toMatchObject({ status: 500, json: { error: { code: "INTERNAL_ERROR", retryable: true } } });
    expect(answer.text).not.toContain("cannot be read");
    expect(errors).toEqual(["a request failed"]);
  });

  it("may be anyone where the authenticator lets anyone in, but not with a token that is none", async () => {
    const { call } = await createTestApi({ anonymous: true });
    expect(await call("/api/jobs", { token: null })).toMatchObject({ status: 200 });
    expect(await call("/api/jobs", { token: "nobody" })).toMatchObject({ status: 401 });
    expect(await call("/api/jobs", { token: null, headers: { authorization: "Bearer" } })).toMatchObject({
      status: 401,
    });
  });

  it("is written down where it came from when it is nobody", async () => {
    const { kernel, call } = await createTestApi();
    const audit = vi.spyOn(kernel, "audit");
    await call("/api/jobs", { token: "a-secret-mistyped" });
    expect(audit.mock.calls).toMatchObject([
      [
        {
          principal: null,
          action: "session.authenticate",
          allowed: false,
          source: "203.0.113.7",
          details: { via: "api" },
        },
      ],
    ]);
    expect(JSON.stringify(audit.mock.calls)).not.toContain("secret");
  });

  it("is asked before it is told that nothing is there", async () => {
    const { call } = await createTestApi();
    expect(await call("/api/nothing", { token: null })).toMatchObject({ status: 401 });
  });

  it("may ask so often, and then has to wait as long as it is told", async () => {
    const { call, world } = await createTestApi({ requestRate: { perSecond: 2, burst: 3 } });
    for (let asked = 0; asked < 3; asked++) expect(await call("/api/agents")).toMatchObject({ status: 200 });
    const refused = await call("/api/agents");
    expect(refused).toMatchObject({ status: 429, headers: { "retry-after": "1" } });
    expect(refused.json.error).toMatchObject({ retryable: true, details: { retry_after_ms: 500 } });
    expect(await call("/api/agents", { token: "you" })).toMatchObject({ status: 200 });
    await world.advance(500);
    expect(await call("/api/agents")).toMatchObject({ status: 200 });
    expect(await call("/api/agents")).toMatchObject({ status: 429 });
  });
});

describe("reading", () => {
  it("takes turns: much of it at once is not answered in one turn of the event loop", async () => {
    const { call, kernel, world } = await createTestApi({ agents: [echo] });
    let turn = 0;
    let isOver = false;
    const count = (): void => {
      turn++;
      if (!isOver) world.timers.soon(count);
    };
    count();
    const turns: number[] = [];
    const { listAgents } = kernel;
    kernel.listAgents = () => {
      turns.push(turn);
      return listAgents.call(kernel);
    };
    await Promise.all(Array.from({ length: 20 }, () => call("/api/agents")));
    isOver = true;
    expect(new Set(turns).size).toBe(20);
  });
});

describe("what is refused", () => {
  it.each([
    ["GET", "/api/nothing", 404, undefined],
    ["GET", "/api", 404, undefined],
    ["PUT", "/api/jobs", 405, "GET, POST"],
    ["GET", "/api/jobs/job_1:cancel", 405, "POST"],
    ["POST", "/api/jobs/job_1", 405, "GET"],
    ["POST", "/api/jobs/job_1:explode", 404, undefined],
    ["DELETE", "/api/artifacts/art_1", 405, "GET, HEAD"],
  ] as const)("is %s %s, with %i", async (method, path, status, allow) => {
    const { call } = await createTestApi();
    const answer = await call(path, { method });
    expect([answer.status, answer.headers.allow]).toEqual([status, allow]);
    expect(answer.json.error).toEqual({ code: "INVALID_REQUEST", retryable: false, ...REFUSAL });
  });

  it.each([
    ["/api/jobs?nope=1", "query.nope"],
    ["/api/jobs?limit=0", "query.limit"],
    ["/api/jobs?limit=many", "query.limit"],
    ["/api/jobs?limit=1.5", "query.limit"],
    ["/api/jobs?status=done", "query.status"],
    ["/api/jobs?status=running&status=error", "query.status"],
    ["/api/jobs?created_after=yesterday", "query.created_after"],
    ["/api/jobs?created_after=2026-13-45T00:00:00Z", "query.created_after"],
    ["/api/jobs?cursor=x", "query.cursor"],
    ["/api/jobs?constructor=x", "query.constructor"],
    ["/api/feed?follow=1", "query.follow"],
    ["/api/audit?action=nap", "query.action"],
    ["/api/health?deep=1", "query.deep"],
    ["/api/jobs/job_1?include=input", "query.include"],
  ])("is %s, naming %s", async (path, field) => {
    const { call } = await createTestApi();
    const answer = await call(path);
    expect(answer).toMatchObject({ status: 400, json: { error: { code: "INVALID_REQUEST", details: { field } } } });
    expect(answer.json.error.message).toContain(field);
  });

  it.each([
    ["a body that is not JSON", "{", "application/json", 400],
    ["a body that is no object", "[]", "application/json", 400],
    ["no body", "", "application/json", 400],
    ["another type of body", "agent=echo", "application/x-www-form-urlencoded", 415],
    ["text", "hello", "text/plain", 415],
    ["a body over 1 MiB", `{"agent":"echo","input":"${"x".repeat(1_048_576)}"}`, "application/json", 413],
    ["a body with __proto__", '{"agent":"echo","__proto__":{"x":1}}', "application/json", 400],
  ])("is %s", async (_, body, type, status) => {
    const { call } = await createTestApi({ agents: [echo] });
    const answer = await call("/api/jobs", { method: "POST", body, headers: { "content-type": type } });
    expect(answer).toMatchObject({ status, json: { error: { code: "INVALID_REQUEST", retryable: false } } });
  });

  const many = (count: number, value: unknown) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, value]));
  // To look for all that is wrong with any of these takes up to a second, in which nobody else is answered.
  it.each([
    ["an unknown field among very many", many(60_000, 1), "body.k0", "is not known here"],
    ["too many namespaces", { lease_request: many(60_000, []) }, "body.lease_request", "at most 32 entries"],
    [
      "too many patterns",
      { lease_request: { "fs.read": new Array(300_000).fill(1) } },
      "body.lease_request.fs.read",
      "at most 256 items",
    ],
    [
      "too many currencies",
      { lease_constraints: { max_budget: new Array(300_000).fill(1) } },
      "body.lease_constraints.max_budget",
      "at most 16 items",
    ],
  ])("is a body with %s, at the first of it", async (_, fields, field, message) => {
    const { call } = await createTestApi({ agents: [echo] });
    const answer = await call("/api/jobs", { method: "POST", body: { agent: "echo", ...fields } });
    expect(answer).toMatchObject({ status: 400, json: { error: { details: { field } } } });
    expect(answer.json.error.message).toContain(message);
  });

  it("is a body that nests too deep, be it a megabyte of brackets", async () => {
    const { call } = await createTestApi({ agents: [echo] });
    const headers = { "content-type": "application/json" };
    for (const body of [
      "[".repeat(1_000_000),
      `{"agent":"echo","input":${"[".repeat(400_000)}${"]".repeat(400_000)}}`,
      `{"agent":"echo","input":${"[".repeat(256)}${"]".repeat(256)}}`,
    ]) {
      const answer = await call("/api/jobs", { method: "POST", body, headers });
      expect(answer).toMatchObject({ status: 400, json: { error: { details: { field: "body" } } } });
      expect(answer.json.error.message).toContain("nested at most");
    }
    const body = `{"agent":"echo","input":${"[".repeat(255)}${"]".repeat(255)}}`;
    expect(await call("/api/jobs", { method: "POST", body, headers })).toMatchObject({ status: 201 });
  });

  it("is not an input whose fields have unusual names: it comes to the agent as it was sent", async () => {
    const api = await createTestApi({ agents: [echo] });
    const headers = { "content-type": "application/json" };
    const input = '{"__proto__":{"a":1},"constructor":{"prototype":2}}';
    const { json } = await api.call("/api/jobs", {
      method: "POST",
      body: `{"agent":"echo","input":${input}}`,
      headers,
    });
    for await (const _ of api.kernel.follow(json.job_id, 0));
    expect((await api.call(`/api/jobs/${json.job_id}/result`)).text).toBe(input);
  });

  it("is answered without a word of what went wrong inside", async () => {
    const { call, kernel, errors } = await createTestApi();
    kernel.listAgents = () => {
      throw new Error("the password is hunter2");
    };
    const answer = await call("/api/agents");
    expect(answer).toMatchObject({ status: 500, json: { error: { code: "INTERNAL_ERROR", retryable: true } } });
    expect(answer.text).not.toMatch(/hunter2|at .*\.ts/);
    expect(errors).toEqual(["a request failed"]);
  });

  it("is a path that is no URL, in the same shape", async () => {
    const { call } = await createTestApi();
    expect(await call("/api/jobs/%zz")).toMatchObject({ status: 400, json: { error: { code: "INVALID_REQUEST" } } });
  });
});

describe("the OpenAPI document", () => {
  it("is there for anyone, and tells of every route", async () => {
    const { call } = await createTestApi();
    const { status, json } = await call("/api/openapi.json", { token: null });
    expect([status, json.openapi, json.info]).toMatchObject([200, "3.1.0", { version: "1.2.3" }]);
    expect(
      Object.entries(json.paths)
        .map(([path, methods]) => `${Object.keys(methods as object).toSorted()} ${path}`)
        .toSorted(),
    ).toEqual([
      "get /api/agents",
      "get /api/audit",
      "get /api/feed",
      "get /api/health",
      "get /api/jobs/{job_id}",
      "get /api/jobs/{job_id}/events",
      "get /api/jobs/{job_id}/result",
      "get /api/openapi.json",
      "get /api/permissions",
      "get /api/permissions/{permission_id}",
      "get,head /api/artifacts/{artifact_id}",
      "get,post /api/jobs",
      "post /api/jobs/{job_id}:cancel",
      "post /api/permissions/{permission_id}:deny",
      "post /api/permissions/{permission_id}:extend",
      "post /api/permissions/{permission_id}:grant",
      "post /api/permissions/{permission_id}:revoke",
    ]);
  });

  it("gives every operation a name, a summary and its refusals", async () => {
    const { document } = await createTestApi();
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    for (const operation of operations) {
      expect(operation).toMatchObject({ operationId: expect.any(String), summary: expect.any(String) });
      expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(["4XX", "5XX"]));
    }
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  });
});

describe("the runtime's health and agents", () => {
  it("are told to who is signed in", async () => {
    const { call, world } = await createTestApi({ agents: [echo] });
    await world.advance(61_500);
    expect((await call("/api/health", { token: "root" })).json).toEqual({
      status: "ok",
      version: "1.2.3",
      now: "2026-01-01T00:01:01.500Z",
      started_at: "2026-01-01T00:00:00.000Z",
      uptime_sec: 61,
      sessions: 3,
      jobs: { pending: 0, running: 0, winding_down: 0 },
      readers: 0,
      store_bytes: 4_096,
    });
    const { sessions, store_bytes, ...told } = (await call("/api/health", { token: "root" })).json;
    expect((await call("/api/health")).json).toEqual(told);
    expect((await call("/api/agents")).json).toEqual({
      agents: [{ name: "echo", versions: ["1.0.0"], default: "1.0.0" }],
    });
  });

  it.each([
    ["whose they are", "me", 1],
    ["another", "you", 0],
    ["an operator of their tenant", "boss", 1],
    ["an operator of another tenant", "stranger", 0],
    ["an operator of the runtime", "root", 1],
  ])("count jobs and readers for %s [law-principals-apart]", async (_, token, count) => {
    const api = await createTestApi({ agents: [endless] });
    const job = await api.submit("endless");
    const { url } = await api.listen();
    const reading = new AbortController();
    const headers = { authorization: "Bearer me" };
    await fetch(`${url}/api/jobs/${job}/events?follow=1`, { headers, signal: reading.signal });
    const health = await fetch(`${url}/api/health`, { headers: { authorization: `Bearer ${token}` } });
    expect(await health.json()).toMatchObject({ jobs: { running: count }, readers: count });
    reading.abort();
  });
});
