import { beforeEach, describe, expect, it } from "vitest";
import { type AgentDefinition, defineAgent } from "../../agents/define-agent.ts";
import type { StandardSchema } from "../../agents/standard-schema.ts";
import { ofType, type TestClient, theOne } from "../test-client.ts";
import { startTestRuntime, type TestRuntime } from "../test-runtime.ts";

const Input: StandardSchema<{ path: string }, { path: string }> = {
  "~standard": {
    version: 1,
    vendor: "leasehold-tests",
    validate: (value) => ({ value: { path: (value as { path?: string } | null)?.path ?? "/work" } }),
  },
};

const reporter = defineAgent({
  name: "reporter",
  version: "1.0.0",
  input: Input,
  needs: {
    "fs.read": { why: "the directory to report on", patterns: ({ path }) => [`${path}/**`] },
    "model.use": "to sum it up",
  },
  run: () => "reported",
});

const spender = defineAgent({
  name: "spender",
  version: "1.0.0",
  needs: { "cost.budget": { why: "what it may spend", patterns: ["credits:100"] } },
  run: () => "spent",
});

let runtime: TestRuntime;
let client: TestClient;

beforeEach(async () => {
  runtime = await startTestRuntime({ agents: [reporter, spender] as readonly AgentDefinition[] });
  client = runtime.connect();
  await client.open();
});

describe("a submission whose lease lacks what the agent needs", () => {
  it("is refused with a lease that would do, which then does", async () => {
    const asked = { agent: "reporter", input: { path: "/src" }, lease_request: { "fs.write": ["/out/**"] } };
    const id = client.send("job.submit", { ...asked, idempotency_key: "once" });
    const { payload } = theOne(await client.settled(), "session.error");
    expect(payload).toMatchObject({
      code: "PERMISSION_DENIED",
      retryable: false,
      request_id: id,
      details: {
        needs: { "fs.read": "the directory to report on", "model.use": "to sum it up" },
        lease_request: { "fs.write": ["/out/**"], "fs.read": ["/src/**"], "model.use": ["*"] },
      },
    });
    const lease_request = payload.details?.lease_request;
    client.send("job.submit", { ...asked, lease_request, idempotency_key: "once" });
    const frames = await client.settled();
    expect(theOne(frames, "job.accepted").payload.lease).toEqual(lease_request);
    expect(theOne(frames, "job.result").payload.result).toBe("reported");
  });

  it("is looked at by what becomes of the input, and after it", async () => {
    client.send("job.submit", { agent: "reporter" });
    expect(theOne(await client.settled(), "session.error").payload.details).toMatchObject({
      lease_request: { "fs.read": ["/work/**"] },
    });
  });

  it("is not accepted: nothing is listed", async () => {
    client.send("job.submit", { agent: "spender" });
    await client.settled();
    client.send("session.list_jobs", {});
    expect(theOne(await client.settled(), "session.jobs").payload.jobs).toEqual([]);
  });

  it("needs money of its own when nobody is above it", async () => {
    client.send("job.submit", { agent: "spender", lease_request: { "tool.call": ["*"] } });
    expect(theOne(await client.settled(), "session.error").payload.code).toBe("PERMISSION_DENIED");
    client.send("job.submit", { agent: "spender", lease_constraints: { max_budget: "credits:1" } });
    expect(ofType(await client.settled(), "job.result")).toHaveLength(1);
  });
});

describe("a delegation whose lease lacks what the agent needs", () => {
  async function delegated(agent: string, lease: Record<string, string[]>, options: object) {
    await client.settled();
    const parent = (await client.submit("puppet", null, { lease_request: { "agent.delegate": ["*"], ...lease } }))
      .payload;
    const child = runtime.puppet(parent.job_id).ctx.delegate(agent, { path: "/src" }, options);
    const settled = child.then(
      (made) => made.agent,
      (error: Error) => error,
    );
    await runtime.world.settle();
    return settled;
  }

  it("is refused, on the log too", async () => {
    expect(await delegated("reporter", { "fs.read": ["/**"] }, {})).toMatchObject({ code: "PERMISSION_DENIED" });
    const results = ofType(await client.settled(), "job.event").filter(({ payload }) => payload.kind === "tool_result");
    expect(results[0]?.payload.body).toMatchObject({
      error: { code: "PERMISSION_DENIED", details: { lease_request: { "fs.read": ["/src/**"] } } },
    });
  });

  it("does not need again what it inherits", async () => {
    const lease = { "fs.read": ["/**"], "model.use": ["small/*"] };
    expect(await delegated("reporter", lease, { lease: { "fs.read": ["/src/**"] } })).toBe("reporter@1.0.0");
    expect(await delegated("spender", { "cost.budget": ["credits:5"] }, {})).toBe("spender@1.0.0");
  });
});
