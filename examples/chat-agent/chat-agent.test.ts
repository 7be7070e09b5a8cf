/** `chat` in a runtime of its own process, against the model service in another, which counts. */
import { join } from "node:path";
import { connect, type Session } from "leasehold/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPlace, jsonLines, type Place } from "../../conformance/end-to-end/test-place.ts";

interface Served {
  readonly requests: number;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly traceparents: readonly string[];
}

let place: Place;
let session: Session;
let service: string;
beforeAll(async () => {
  place = await createPlace();
  const server = join(import.meta.dirname, "server.ts");
  const model = place.spawn(process.execPath, [server], { env: { PORT: "0" } });
  service = `http://127.0.0.1:${await model.until("the port", (stdout) => /port: (\d+)/.exec(stdout)?.[1])}`;
  const [agent, prices] = ["agent.ts", "prices.json"].map((name) => join(import.meta.dirname, name));
  const args = ["dev", `${agent}`, "--prices", `${prices}`, "--port", "0", "--json"];
  const runtime = place.start(args, { env: { CHAT_URL: `${service}/v1` } });
  const ready = await runtime.until("the line that says where it serves", (stdout) => jsonLines(stdout)[0]);
  session = await connect(String(ready.url), { token: String(ready.token) });
});
afterAll(async () => {
  await session?.[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

const served = async (): Promise<Served> => (await fetch(`${service}/usage`)).json() as Promise<Served>;

/** Runs a chat, and tells what came of it, what it said to have cost, and what the service served meanwhile. */
async function ask(model: string, lease: Readonly<Record<string, readonly string[]>>, budget?: Record<string, string>) {
  const before = await served();
  const input = { question: "What are orchids?", model };
  const job = await session.submit("chat", input, { lease, ...(budget && { budget }) });
  const costs: number[] = [];
  const calls: unknown[] = [];
  const refusals: unknown[] = [];
  let remaining: number | undefined;
  for await (const { kind, body } of job.events()) {
    if (kind === "metric" && body.name === "cost.inference") costs.push(body.value);
    if (kind === "metric" && body.name === "cost.budget.remaining") remaining = body.value;
    if (kind === "tool_call") calls.push(body.tool);
    if (kind === "tool_result" && "error" in body) refusals.push(body.error?.code);
  }
  const after = await served();
  return {
    outcome: await job.result().catch((error: { readonly code: string }) => error.code),
    costs,
    calls,
    refusals,
    remaining,
    requests: after.requests - before.requests,
    cost:
      (after.prompt_tokens - before.prompt_tokens) * 0.001 +
      (after.completion_tokens - before.completion_tokens) * 0.002,
    traceparents: after.traceparents.slice(before.traceparents.length),
  };
}

describe("chat", () => {
  it("answers, and is charged what the service counted", async () => {
    const answered = await ask("small", { "model.use": ["local/small"], "tool.call": ["look_up"] }, { USD: "0.5" });
    expect(answered.outcome).toBe("I was told: plants of the family Orchidaceae.");
    expect(answered.calls).toEqual(["model", "look_up", "model"]);
    expect(answered).toMatchObject({ requests: 2, refusals: [] });
    expect(answered.costs).toHaveLength(2);
    expect(answered.costs.reduce((sum, cost) => sum + cost)).toBeCloseTo(answered.cost, 12);
    expect(answered.remaining).toBeCloseTo(0.5 - answered.cost, 12);
    // Both calls belong to the job's trace (§11).
    const [first, second] = answered.traceparents.map((traceparent) => traceparent.split("-")[1]);
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect(second).toBe(first);
  });

  it("tells the model of a tool that the lease does not allow, and goes on", async () => {
    const answered = await ask("small", { "model.use": ["small"], "tool.call": ["other"] }, { USD: "0.5" });
    expect(answered.outcome).toContain("tool.call on look_up");
    expect(answered.refusals).toEqual(["PERMISSION_DENIED"]);
  });

  it("ends at the step that its budget does not allow any more", async () => {
    const ended = await ask("small", { "model.use": ["local/*"], "tool.call": ["*"] }, { USD: "0.004" });
    expect(ended).toMatchObject({ outcome: "BUDGET_EXHAUSTED", requests: 1 });
    expect(ended.refusals).toEqual(["BUDGET_EXHAUSTED", "BUDGET_EXHAUSTED"]);
    expect(ended.costs[0]).toBeCloseTo(ended.cost, 12);
    expect(ended.remaining).toBeLessThanOrEqual(0);
  });

  it("calls no other model than the lease names [arcp-9.7-model-refused] [arcp-9.7-permission-denied]", async () => {
    const refused = await ask("large", { "model.use": ["local/small"], "tool.call": ["*"] }, { USD: "0.5" });
    expect(refused).toMatchObject({ outcome: "PERMISSION_DENIED", requests: 0, costs: [] });
  });

  it("ends with BUDGET_EXHAUSTED where the service's own quota is used up", async () => {
    const refused = await ask("exhausted", { "model.use": ["local/*"], "tool.call": ["*"] });
    expect(refused).toMatchObject({ outcome: "BUDGET_EXHAUSTED", requests: 0 });
  });
});
