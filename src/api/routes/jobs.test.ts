import { describe, expect, it, vi } from "vitest";
import type { JobHost } from "../../kernel/agents-port.ts";
import { anAgent, deaf, echo, say } from "../../kernel/test-kernel.ts";
import { CodedError } from "../../protocol/errors.ts";
import { createTestApi, type TestApi } from "../test-api.ts";

/** What sockets do takes as long as it takes. */
const until = <Result>(check: () => Result | Promise<Result>) => vi.waitFor(check, { timeout: 30_000 });

const failing = anAgent("failing", () => {
  throw new CodedError("BUDGET_EXHAUSTED", "no credits are left", { details: { currency: "credits" } });
});
/** Tells of progress and a phase, and then runs on. */
const busy = anAgent("busy", async (host: JobHost) => {
  host.append("progress", "progress", '{"current":1,"total":4,"units":"files"}');
  host.append("progress", "progress", '{"current":3,"total":4,"units":"files"}');
  host.append("status", "status", '{"phase":"reading","message":"three of four"}');
  say(host, "hello");
  await host.flush();
  return new Promise((resolve) => host.signal.addEventListener("abort", () => resolve({})));
});
/** Spends, delegates to one that runs on, and runs on. */
const planner = anAgent("planner", async (host: JobHost) => {
  host.report({ name: "cost.model", value: "0.1", unit: "USD" });
  await host.delegate({ agent: "deaf", input: null, leaseRequest: { "cost.budget": ["USD:0.5"] } });
  return new Promise((resolve) => host.signal.addEventListener("abort", () => resolve({})));
});
const needy = {
  ...echo,
  name: "needy",
  needs: [{ namespace: "fs.read", why: "the files", suggest: () => ["/work/**"] }],
};
const AGENTS = [echo, deaf, failing, busy, planner, needy];

/** Resolves once the job's log has so many entries. */
async function reach({ kernel }: TestApi, job: string, entries: number): Promise<void> {
  for await (const chunk of kernel.follow(job, 0)) if (chunk.firstSeq + chunk.payloads.length > entries) return;
}

describe("GET /api/jobs", () => {
  it("lists the caller's own jobs, newest first, page by page", async () => {
    const { call, run } = await createTestApi({ agents: AGENTS });
    const jobs = [];
    for (let index = 0; index < 5; index++) jobs.unshift(await run("echo", { input: index }));
    await run("echo", {}, "you");
    const seen: string[] = [];
    let cursor = "";
    let pages = 0;
    do {
      const { json } = await call(`/api/jobs?limit=2${cursor && `&cursor=${cursor}`}`);
      seen.push(...json.jobs.map((job: { job_id: string }) => job.job_id));
      cursor = json.next_cursor ?? "";
      pages++;
    } while (cursor !== "");
    expect([seen, pages]).toEqual([jobs, 3]);
  });

  it("takes a cursor for the listing it came from only", async () => {
    const { call, run } = await createTestApi({ agents: AGENTS });
    for (let index = 0; index < 3; index++) await run("echo");
    const { json } = await call("/api/jobs?limit=1&agent=echo");
    expect((await call(`/api/jobs?limit=2&agent=echo&cursor=${json.next_cursor}`)).json.jobs).toHaveLength(2);
    expect(await call(`/api/jobs?limit=1&cursor=${json.next_cursor}`)).toMatchObject({ status: 400 });
    expect(await call(`/api/jobs?limit=1&agent=echo&cursor=${json.next_cursor}`, { token: "you" })).toMatchObject({
      status: 400,
    });
  });

  it("filters by status, agent, time and tree", async () => {
    const { call, run, submit, world } = await createTestApi({ agents: AGENTS });
    const echoed = await run("echo");
    await world.advance(1_000);
    const failed = await run("failing");
    await world.advance(1_000);
    const running = await submit("deaf");
    const ids = async (query: string) =>
      (await call(`/api/jobs?${query}`)).json.jobs.map((job: { job_id: string }) => job.job_id);
    expect(await ids("status=running")).toEqual([running]);
    expect(await ids("status=error,success")).toEqual([failed, echoed]);
    expect(await ids("agent=failing@1.0.0")).toEqual([failed]);
    expect(await ids("created_after=2026-01-01T00:00:00.500Z&created_before=2026-01-01T00:00:02Z")).toEqual([failed]);
    expect(await ids("created_after=2026-01-01T01:00:00.500%2B01:00")).toEqual([running, failed]);
    expect(await ids(`root=${failed}`)).toEqual([failed]);
    expect(await ids(`parent=${failed}`)).toEqual([]);
  });

  it("[law-principals-apart] shows operators their tenant's jobs, and nobody what is not theirs to see", async () => {
    const { call, run } = await createTestApi({ agents: AGENTS, observe: { "t/you": ["t/me"] } });
    const mine = await run("echo");
    const yours = await run("echo", {}, "you");
    const strange = await run("echo", {}, "stranger");
    const ids = async (token: string, query = "") =>
      (await call(`/api/jobs${query}`, { token })).json.jobs.map((job: { job_id: string }) => job.job_id);
    expect(await ids("me")).toEqual([mine]);
    expect(await ids("you")).toEqual([yours, mine]);
    expect(await ids("boss")).toEqual([yours, mine]);
    expect(await ids("stranger")).toEqual([strange]);
    expect(await ids("boss", "?principal=me")).toEqual([mine]);
    expect(await ids("boss", "?principal=t/you")).toEqual([yours]);
    expect(await ids("boss", "?principal=u/stranger")).toEqual([]);
    expect(await ids("me", "?principal=you")).toEqual([]);
    expect(await ids("me", "?principal=t/*")).toEqual([]);
    expect(await ids("boss", `?root=${strange}`)).toEqual([]);
  });

  it("tells of progress, of jobs under way", async () => {
    const api = await createTestApi({ agents: AGENTS });
    const job = await api.submit("busy");
    await reach(api, job, 4);
    const { json } = await api.call("/api/jobs");
    expect(json.jobs[0]).toMatchObject({
      job_id: job,
      status: "running",
      last_job_seq: 4,
      progress: { current: 3, total: 4, units: "files", job_seq: 2 },
    });
  });
});

describe("GET /api/jobs/{job_id}", () => {
  it("tells all there is to say of a job", async () => {
    const api = await createTestApi({ agents: AGENTS });
    const job = await api.submit("busy", {
      lease_request: { "fs.read": ["/workspace/**"], "cost.budget": ["credits:2.50"] },
      lease_constraints: { expires_at: "2026-01-01T00:10:00Z" },
      max_runtime_sec: 60,
      trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
    });
    await reach(api, job, 4);
    expect((await api.call(`/api/jobs/${job}`)).json).toEqual({
      job_id: job,
      agent: "busy@1.0.0",
      status: "running",
      principal: "t/me",
      root_job_id: job,
      attempt: 1,
      trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
      created_at: "2026-01-01T00:00:00.000Z",
      started_at: "2026-01-01T00:00:00.000Z",
      lease: { "fs.read": ["/workspace/**"], "cost.budget": ["credits:2.50"] },
      lease_constraints: { expires_at: "2026-01-01T00:10:00Z" },
      budget: { credits: { granted: "2.5", spent: "0", held: "0", remaining: "2.5", available: "2.5" } },
      deadline_at: "2026-01-01T00:01:00.000Z",
      last_job_seq: 4,
      progress: { current: 3, total: 4, units: "files", job_seq: 2, ts: "2026-01-01T00:00:00.000Z" },
      latest_status: { phase: "reading", message: "three of four", job_seq: 3, ts: "2026-01-01T00:00:00.000Z" },
      children: [],
    });
  });

  it("tells how its budget stands, and of its tree [arcp-7.6-authority-descriptor]", async () => {
    const api = await createTestApi({ agents: AGENTS });
    const lease_request = { "agent.delegate": ["*"], "cost.budget": ["USD:1.00", "credits:3"] };
    const job = await api.submit("planner", { lease_request });
    await reach(api, job, 3);
    const { json } = await api.call(`/api/jobs/${job}`);
    expect(json.budget).toEqual({
      USD: { granted: "1", spent: "0.1", held: "0.5", remaining: "0.9", available: "0.4" },
      credits: { granted: "3", spent: "0", held: "0", remaining: "3", available: "3" },
    });
    const [child] = json.children;
    expect(json.children).toEqual([
      { job_id: child.job_id, delegate_id: expect.any(String), agent: "deaf@1.0.0", status: "running" },
    ]);
    expect((await api.call(`/api/jobs/${child.job_id}`)).json).toMatchObject({
      parent_job_id: job,
      root_job_id: job,
      delegate_id: child.delegate_id,
      budget: { USD: { granted: "0.5", remaining: "0.5" } },
    });
    const ids = async (query: string) =>
      (await api.call(`/api/jobs?${query}`)).json.jobs.map(({ job_id }: { job_id: string }) => job_id);
    expect(await ids(`parent=${job}`)).toEqual([child.job_id]);
    expect(await ids(`root=${job}`)).toEqual([child.job_id, job]);
  });

  it("tells why it ended", async () => {
    const { call, run } = await createTestApi({ agents: AGENTS });
    expect((await call(`/api/jobs/${await run("failing")}`)).json).toMatchObject({
      status: "error",
      ended_at: "2026-01-01T00:00:00.000Z",
      error: {
        code: "BUDGET_EXHAUSTED",
        message: "no credits are left",
        retryable: false,
        details: { currency: "credits" },
      },
    });
    const { json } = await call(`/api/jobs/${await run("echo", { input: "hello" })}`);
    expect([json.status, json.result, json.error]).toEqual(["success", {}, undefined]);
  });

  it("[law-principals-apart] gives the same answer for a foreign job and for none", async () => {
    const { call, run } = await createTestApi({ agents: AGENTS });
    const job = await run("echo");
    const foreign = await call(`/api/jobs/${job}`, { token: "you" });
    const none = await call("/api/jobs/job_none", { token: "you" });
    expect(foreign).toMatchObject({ status: 404, json: { error: { code: "JOB_NOT_FOUND" } } });
    const plain = (answer: typeof none, id: string) =>
      answer.text.replaceAll(id, "ID").replaceAll(answer.json.error.request_id, "REQ");
    expect(plain(foreign, job)).toBe(plain(none, "job_none"));
    for (const path of ["events", "result"]) {
      expect(await call(`/api/jobs/${job}/${path}`, { token: "you" })).toMatchObject({ status: 404 });
    }
    expect(await call(`/api/jobs/${job}`, { token: "stranger" })).toMatchObject({ status: 404 });
  });

  it("is audited when the job is another's, seen or not", async () => {
    const { call, run } = await createTestApi({ agents: AGENTS });
    const job = await run("echo");
    await call(`/api/jobs/${job}`);
    await call(`/api/jobs/${job}`, { token: "you" });
    await call(`/api/jobs/${job}`, { token: "boss" });
    await until(async () => {
      const { json } = await call("/api/audit?action=job.read", { token: "boss" });
      expect(json.entries).toMatchObject([
        { principal: "t/boss", action: "job.read", job_id: job, owner: "t/me", allowed: true },
        { principal: "t/you", action: "job.read", job_id: job, owner: "t/me", allowed: false },
      ]);
    });
  });
});

describe("POST /api/jobs", () => {
  it("submits a job, which runs as any other", async () => {
    const { call, run } = await createTestApi({ agents: AGENTS });
    const answer = await call("/api/jobs", { method: "POST", body: { agent: "echo", input: { a: 1 } } });
    expect(answer).toMatchObject({ status: 201, json: { agent: "echo@1.0.0", principal: "t/me" } });
    expect(answer.headers.location).toBe(`/api/jobs/${answer.json.job_id}`);
    const job = await run("echo", { input: [1, 2] });
    expect((await call(`/api/jobs/${job}/result`)).json).toEqual([1, 2]);
  });

  it("answers a repeated key with the job it belongs to, in field and header alike", async () => {
    const { call } = await createTestApi({ agents: AGENTS });
    const body = { agent: "echo", input: 1 };
    const first = await call("/api/jobs", { method: "POST", body: { ...body, idempotency_key: "k" } });
    const again = await call("/api/jobs", { method: "POST", body, headers: { "idempotency-key": "k" } });
    expect([first.status, again.status, again.json.job_id]).toEqual([201, 200, first.json.job_id]);
    const other = await call("/api/jobs", { method: "POST", body: { ...body, input: 2, idempotency_key: "k" } });
    expect(other).toMatchObject({ status: 409, json: { error: { code: "DUPLICATE_KEY" } } });
    const both = { ...body, idempotency_key: "k" };
    expect(await call("/api/jobs", { method: "POST", body: both, headers: { "idempotency-key": "l" } })).toMatchObject({
      status: 400,
      json: { error: { details: { field: "body.idempotency_key" } } },
    });
  });

  it("takes the trace from a traceparent", async () => {
    const { call, kernel } = await createTestApi({ agents: AGENTS });
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    const headers = { traceparent: `00-${trace}-00f067aa0ba902b7-01` };
    const answer = await call("/api/jobs", { method: "POST", body: { agent: "echo" }, headers });
    expect(answer.json.trace_id).toBe(trace);
    expect((await kernel.readJob(answer.json.job_id))?.traceParent).toBe("00f067aa0ba902b7-01");
    const none = await call("/api/jobs", {
      method: "POST",
      body: { agent: "echo" },
      headers: { traceparent: "nonsense" },
    });
    expect(none.json.trace_id).toMatch(/^[0-9a-f]{32}$/);
  });

  it.each([
    [{}, "body.agent", 400],
    [{ agent: "Echo" }, "body.agent", 400],
    [{ agent: "echo", color: "red" }, "body.color", 400],
    [{ agent: "echo", lease_request: { "fs.eat": ["x"] } }, 'lease_request["fs.eat"]', 400],
    [{ agent: "echo", lease_constraints: { max_spend: "1" } }, "body.lease_constraints.max_spend", 400],
    [{ agent: "echo", max_runtime_sec: 0 }, "body.max_runtime_sec", 400],
  ])("refuses %j, naming %s", async (body, field, status) => {
    const { call } = await createTestApi({ agents: AGENTS });
    const answer = await call("/api/jobs", { method: "POST", body });
    expect(answer).toMatchObject({ status, json: { error: { code: "INVALID_REQUEST", details: { field } } } });
  });

  it("has no agent but those there are", async () => {
    const { call } = await createTestApi({ agents: AGENTS });
    const answer = await call("/api/jobs", { method: "POST", body: { agent: "nobody" } });
    expect(answer).toMatchObject({ status: 404, json: { error: { code: "AGENT_NOT_AVAILABLE" } } });
  });
});

describe("POST /api/jobs/{job_id}:cancel", () => {
  it("[reading-control-over-http] stops the caller's job, and answers the same when asked again", async () => {
    const { call, submit, kernel } = await createTestApi({ agents: AGENTS });
    const job = await submit("deaf");
    const stop = () => call(`/api/jobs/${job}:cancel`, { method: "POST", body: { reason: "enough" } });
    expect((await stop()).json).toEqual({ job_id: job, final_status: "cancelled" });
    for await (const _ of kernel.follow(job, 0));
    expect((await stop()).json).toEqual({ job_id: job, final_status: "cancelled" });
    expect((await call(`/api/jobs/${job}`)).json.error).toMatchObject({
      code: "CANCELLED",
      message: expect.stringContaining("enough"),
    });
  });

  it("needs no body, and tells how a job that had ended ended", async () => {
    const { call, run } = await createTestApi({ agents: AGENTS });
    const job = await run("echo");
    const answer = await call(`/api/jobs/${job}:cancel`, { method: "POST" });
    expect(answer.json).toEqual({ job_id: job, final_status: "success" });
  });

  it("[reading-control-over-http] is for owners and operators; who may only see the job is told so, others nothing", async () => {
    const { call, submit } = await createTestApi({ agents: AGENTS, observe: { "t/you": ["t/me"] } });
    const job = await submit("deaf");
    const stop = (token: string) => call(`/api/jobs/${job}:cancel`, { method: "POST", token });
    expect(await stop("you")).toMatchObject({ status: 403, json: { error: { code: "PERMISSION_DENIED" } } });
    expect(await stop("stranger")).toMatchObject({ status: 404, json: { error: { code: "JOB_NOT_FOUND" } } });
    expect((await call(`/api/jobs/${job}`)).json.status).toBe("running");
    expect(await stop("boss")).toMatchObject({ status: 200, json: { final_status: "cancelled" } });
  });

  it("[reading-control-over-http] is audited, allowed or refused", async () => {
    const { call, submit } = await createTestApi({ agents: AGENTS });
    const job = await submit("deaf");
    await call(`/api/jobs/${job}:cancel`, { method: "POST", token: "you" });
    await call(`/api/jobs/${job}:cancel`, { method: "POST", token: "boss", body: { reason: "late" } });
    const { json } = await call(`/api/audit?job=${job}&action=job.cancel`);
    expect(json.entries).toMatchObject([
      { principal: "t/boss", allowed: true, owner: "t/me", details: { via: "api", reason: "late" } },
      { principal: "t/you", allowed: false, owner: "t/me", details: { via: "api" } },
    ]);
  });

  it("refuses a body it does not know", async () => {
    const { call, submit } = await createTestApi({ agents: AGENTS });
    const job = await submit("deaf");
    expect(await call(`/api/jobs/${job}:cancel`, { method: "POST", body: { why: "x" } })).toMatchObject({
      status: 400,
    });
  });
});

describe("POST /api/jobs", () => {
  it("is refused with the lease that would do when the agent needs more", async () => {
    const { call } = await createTestApi({ agents: AGENTS });
    const body = { agent: "needy", input: 1, lease_request: { "tool.call": ["grep"] } };
    expect(await call("/api/jobs", { method: "POST", body })).toMatchObject({
      status: 403,
      json: {
        error: {
          code: "PERMISSION_DENIED",
          details: {
            needs: { "fs.read": "the files" },
            lease_request: { "tool.call": ["grep"], "fs.read": ["/work/**"] },
          },
        },
      },
    });
  });
});
