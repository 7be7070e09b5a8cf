/**
 * A data directory that the first version of the schema left when its process was killed (`first-version.sql`), opened by
 * this one: what it holds is listed, read, taken up and resumed as if nothing had happened in between.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createRuntime, defineAgent, type Runtime } from "leasehold";
import { afterEach, beforeEach, expect, it } from "vitest";

const FIRST_VERSION = readFileSync(join(import.meta.dirname, "first-version.sql"), "utf8");
const SESSION = {
  session_id: "sess_01M7Z2EZ7SKG8K7RVXBY5BTPCT",
  resume_token: "rt_2d2d67cda6a6c4c15ca72dfc0ba6b51ae120d8d3d57eb25997eea09b0c1f090b",
};
const [ENDED, ONCE, AGAIN, LATER] = [
  "job_01M7Z2EZ7ZBGEA97S8GBFFFS7D",
  "job_01M7Z2EZ88YGRMNRWGESY6GSTF",
  "job_01M7Z2EZ8DSN8VAB352R7Q4V7S",
  "job_01M7Z2EZ8JHF8VGGBJJ046H89J",
];

const agents = [
  defineAgent({ name: "echo", version: "1.0.0", run: (_ctx, input) => input }),
  defineAgent({ name: "once", version: "1.0.0", run: () => "never again" }),
  defineAgent({
    name: "again",
    version: "1.0.0",
    restart: "always",
    run: async (ctx, input) => ({ first: await ctx.step("begin", () => ctx.attempt), attempt: ctx.attempt, input }),
  }),
];

interface Frame {
  readonly type: string;
  readonly job_id?: string;
  readonly event_seq?: number;
  readonly payload: Readonly<Record<string, unknown>>;
}

let directory: string;
let runtime: Runtime;
let url: string;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "leasehold-upgrade-"));
  const database = new DatabaseSync(join(directory, "leasehold.db"));
  database.exec(FIRST_VERSION);
  database.close();
  runtime = await createRuntime({
    agents,
    data: directory,
    retention: { maxAgeSec: Infinity },
    authenticator: {
      authenticate: async ({ token }) =>
        token === "ada" ? { id: "ada", tenant: "default", roles: ["user"] } : undefined,
    },
  });
  ({ url } = await runtime.listen({ port: 0 }));
});
afterEach(async () => {
  await runtime.close();
  rmSync(directory, { recursive: true });
});

/** One connection that shows what arrives on it. */
async function connect() {
  const socket = new WebSocket(url);
  const frames: Frame[] = [];
  let look = (): void => {};
  socket.addEventListener("message", ({ data }) => {
    frames.push(JSON.parse(String(data)) as Frame);
    look();
  });
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  let requests = 0;
  return {
    frames,
    send: (type: string, payload: object) =>
      socket.send(JSON.stringify({ arcp: "1.1", id: `msg_${++requests}`, type, payload })),
    until: (wanted: (frame: Frame) => boolean) =>
      new Promise<Frame>((resolve) => {
        look = () => {
          const found = frames.find(wanted);
          if (found !== undefined) resolve(found);
        };
        look();
      }),
    [Symbol.dispose]: () => socket.close(),
  };
}

const FEATURES = ["list_jobs", "subscribe", "ack", "cost.budget", "lease_expires_at", "agent_versions"];
const HELLO = {
  client: { name: "upgrade", version: "1" },
  auth: { scheme: "bearer", token: "ada" },
  capabilities: { encodings: ["json"], features: FEATURES },
};

it("resumes its session: what it was sent is sent again, and the jobs under way have come to their end", async () => {
  using client = await connect();
  client.send("session.resume", { ...SESSION, last_event_seq: 0, auth: HELLO.auth });
  await client.until(({ type, job_id }) => type === "job.result" && job_id === AGAIN);
  await client.until(({ type, job_id }) => type === "job.error" && job_id === ONCE);
  const events = client.frames.filter(({ event_seq }) => event_seq !== undefined);
  expect(events.map(({ event_seq }) => event_seq)).toEqual(events.map((_, index) => index + 1));
  expect(events.slice(0, 7).map(({ type, job_id }) => [type, job_id])).toEqual([
    ["job.event", ENDED],
    ["job.result", ENDED],
    ["job.event", ONCE],
    ["job.event", AGAIN],
    ["job.event", AGAIN],
    ["job.event", LATER],
    ["job.result", LATER],
  ]);
  expect(events.slice(7).filter(({ job_id }) => job_id === ONCE)).toMatchObject([
    { type: "job.error", payload: { code: "INTERNAL_ERROR", retryable: true } },
  ]);
  expect(events.slice(7).filter(({ job_id }) => job_id === AGAIN)).toMatchObject([
    { payload: { kind: "status", body: { phase: "restarted" } } },
    { payload: { kind: "tool_result", body: { error: { details: { outcome: "unknown" } } } } },
    { type: "job.result", payload: { result: { first: 1, attempt: 2, input: [1, 2] } } },
  ]);
});

it("lists its jobs, gives their history, and knows their keys", async () => {
  using client = await connect();
  client.send("session.hello", HELLO);
  await client.until(({ type }) => type === "session.welcome");
  client.send("session.list_jobs", {});
  const listing = await client.until(({ type }) => type === "session.jobs");
  expect(listing.payload.jobs).toMatchObject([
    { job_id: LATER, status: "success", agent: "echo@1.0.0" },
    { job_id: AGAIN, agent: "again@1.0.0", lease: { "tool.call": ["*"] } },
    { job_id: ONCE, agent: "once@1.0.0" },
    {
      job_id: ENDED,
      status: "success",
      lease: { "tool.call": ["search"], "cost.budget": ["USD:5.00"] },
      lease_constraints: { expires_at: "2036-01-01T00:00:00Z" },
      budget: { USD: 5 },
    },
  ]);

  client.send("job.subscribe", { job_id: ENDED, history: true, from_job_seq: 0 });
  const result = await client.until(({ type, job_id }) => type === "job.result" && job_id === ENDED);
  expect(result.payload).toMatchObject({ final_status: "success", result: { text: "fuchs 🦊" }, job_seq: 2 });

  client.send("job.submit", {
    agent: "echo",
    input: { text: "fuchs 🦊" },
    idempotency_key: "key-1",
    lease_request: { "tool.call": ["search"], "cost.budget": ["USD:5.00"] },
    lease_constraints: { expires_at: "2036-01-01T00:00:00Z" },
  });
  expect((await client.until(({ type }) => type === "job.accepted")).payload).toMatchObject({ job_id: ENDED });
});
