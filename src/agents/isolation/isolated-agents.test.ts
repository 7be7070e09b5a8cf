import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { z } from "zod";
import { defineAgent } from "../define-agent.ts";
import { defineIsolatedAgent } from "./define-isolated-agent.ts";
import * as agents from "./test-agents.ts";
import { eventsOf, failureOf, firstOf, isAlive, startRuntime } from "./test-runtime.ts";

const ALL = Object.values(agents);

async function temporaryDirectory(): Promise<string> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), "leasehold-isolated-")));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

describe("an isolated agent", () => {
  it("has everything that its context has in one process", async () => {
    const { submit } = await startRuntime(ALL);
    const lease = { "tool.call": ["add"] };
    const job = await submit("thorough", { some: "input" }, { lease, budget: { USD: "1" } });
    const events = await eventsOf(job);
    const result = (await job.result()) as Readonly<Record<string, unknown>>;
    expect(result).toMatchObject({
      input: { some: "input" },
      step: { key: `${job.id}/once` },
      sum: 3,
      artifact: { name: "a.txt", content_type: "text/plain", byte_size: 5 },
      ctx: {
        jobId: job.id,
        agent: "thorough@1.0.0",
        attempt: 1,
        traceId: job.traceId,
        lease: { grants: lease, budget: { USD: "1" } },
      },
    });
    expect(events.map(({ kind, body }) => [kind, body])).toEqual([
      ["log", { level: "warn", message: "begun" }],
      ["thought", { text: "hm" }],
      ["status", { phase: "working", message: "on it" }],
      ["progress", { current: 1, total: 2 }],
      ["x-test.kind", { some: "thing" }],
      ["metric", { name: "lines", value: 3 }],
      ["metric", { name: "cost.tokens", value: 0.25, unit: "USD" }],
      ["metric", { name: "cost.budget.remaining", value: 0.75, unit: "USD" }],
      ["tool_call", { tool: "add", args: { of: [1, 2] }, call_id: expect.any(String) }],
      ["tool_result", { call_id: expect.any(String), result: { callId: expect.any(String), sum: 3 } }],
      ["artifact_ref", result.artifact],
    ]);
  });

  it("gets its input through the schema of its own module, and answers through it", async () => {
    const { submit } = await startRuntime(ALL);
    expect(await (await submit("dated", { when: "2026-05-13" })).result()).toEqual({ year: 2026 });
    await expect(submit("dated", { when: 5 })).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });

  it("streams its result", async () => {
    const { submit } = await startRuntime(ALL);
    expect(await (await submit("streaming")).result()).toBe("0;1;2;");
  });

  it.each([
    ["coded", "PERMISSION_DENIED", "not today"],
    ["plain", "INTERNAL_ERROR", "plainly wrong"],
    ["rejection", "INTERNAL_ERROR", "dropped"],
    ["later", "INTERNAL_ERROR", "JSON"],
    ["cycle", "INTERNAL_ERROR", "cannot be written as JSON"],
    ["exit", "INTERNAL_ERROR", "ended with code 3 before the agent returned"],
  ])("that fails by %s ends its job with %s", async (how, code, message) => {
    const { submit } = await startRuntime(ALL);
    const failure = await failureOf(await submit("failing", how));
    expect(failure).toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it("has its files read and written by the runtime, under the lease", async () => {
    const { submit } = await startRuntime(ALL);
    const directory = await temporaryDirectory();
    const lease = { "fs.read": [`${directory}/**`], "fs.write": [`${directory}/**`] };
    expect(await (await submit("files", directory, { lease })).result()).toEqual({
      length: 600_002,
      end: "yz",
      listed: [{ name: "a", type: "file" }],
      size: 600_002,
      missing: "ENOENT",
      gone: true,
    });
    const elsewhere = await submit("files", directory, { lease: { "fs.write": ["/nowhere/**"] } });
    expect(await failureOf(elsewhere)).toMatchObject({ code: "PERMISSION_DENIED" });
  });

  it("fetches what its lease names, and nothing else", async () => {
    const server = createServer((_request, response) => response.end("fetched"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { submit } = await startRuntime(ALL);
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/a`;
    expect(await (await submit("fetching", url, { lease: { "net.fetch": [url] } })).result()).toBe("fetched");
    const refused = await submit("fetching", `${url}b`, { lease: { "net.fetch": [url] } });
    expect(await failureOf(refused)).toMatchObject({ code: "PERMISSION_DENIED", details: { target: `${url}b` } });
  });

  it("delegates", async () => {
    const { submit } = await startRuntime(ALL);
    const job = await submit("parent", null, { lease: { "agent.delegate": ["dated"] } });
    expect(await job.result()).toEqual({ agent: "dated@1.0.0", result: { year: 2026 } });
    const refused = await submit("parent", null, { lease: { "agent.delegate": ["other"] } });
    expect(await failureOf(refused)).toMatchObject({ code: "PERMISSION_DENIED" });
  });

  it("keeps its events in order, however many", async () => {
    const { submit } = await startRuntime(ALL);
    const job = await submit("chatty", 5_000);
    const bodies = (await eventsOf(job)).map(({ body }) => (body as { message: string }).message);
    expect(bodies).toEqual(Array.from({ length: 5_000 }, (_, index) => `line ${index}`));
  });

  it("has an empty environment, and its output in the debug log", async () => {
    const { submit, lines } = await startRuntime(ALL);
    const job = await submit("writing");
    // macOS gives every process a variable of its own.
    expect(Object.keys((await job.result()) as object).filter((name) => !name.startsWith("__CF"))).toEqual([]);
    const written = (): readonly unknown[] => lines.filter(({ stream }) => stream !== undefined);
    await vi.waitFor(() => expect(written()).toHaveLength(2), 10_000);
    expect(written()).toContainEqual({
      job: job.id,
      level: "debug",
      stream: "stdout",
      message: "agent: to the output",
    });
    expect(written()).toContainEqual({ job: job.id, level: "debug", stream: "stderr", message: "agent: to the error" });
  });
});

describe("a stop", () => {
  it("is told to the agent, whose process then ends", async () => {
    const { submit } = await startRuntime(ALL);
    const job = await submit("obedient");
    const pid = Number((await firstOf(job, "log")).body.message);
    expect(isAlive(pid)).toBe(true);
    await job.cancel();
    expect(await failureOf(job)).toMatchObject({ code: "CANCELLED" });
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), 10_000);
  });

  it("[attack-endless-loop] kills one that loops without end, for which nobody waited", async () => {
    const { submit } = await startRuntime(ALL);
    const job = await submit("stuck");
    const pid = Number((await firstOf(job, "log")).body.message);
    // The runtime goes on meanwhile.
    expect(await (await submit("dated", { when: "2026-05-13" })).result()).toEqual({ year: 2026 });
    await job.cancel();
    expect(await failureOf(job)).toMatchObject({ code: "CANCELLED" });
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), 10_000);
  });

  it("comes by timeout too", async () => {
    const { submit } = await startRuntime(ALL);
    const job = await submit("stuck", null, { maxRuntimeSec: 3 });
    expect(await failureOf(job)).toMatchObject({ code: "TIMEOUT" });
  });

  it("of the runtime leaves no process", async () => {
    const { submit, runtime } = await startRuntime(ALL);
    const job = await submit("stuck");
    const pid = Number((await firstOf(job, "log")).body.message);
    await runtime.close();
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), 1_500);
  });
});

it("is loaded from what its file says by then, once it is replaced", async () => {
  const directory = await temporaryDirectory();
  const module = join(directory, "agents.js");
  const define = () => defineAgent({ name: "changing", version: "1.0.0", isolate: "process", module, run: () => 1 });
  const write = async (value: string): Promise<void> => {
    await writeFile(join(directory, `${value}.js`), `export const value = "${value}";`);
    await writeFile(
      module,
      `import { defineAgent } from "leasehold"; import { value } from "./${value}.js";
       export const agent = defineAgent({ name: "changing", version: "1.0.0", run: () => value });`,
    );
  };
  await writeFile(join(directory, "package.json"), '{"type":"module"}');
  await write("one");
  const { runtime, submit } = await startRuntime([define()]);
  expect(await (await submit("changing")).result()).toBe("one");
  await write("two");
  runtime.replaceAgents([define()]);
  expect(await (await submit("changing")).result()).toBe("two");
});

describe("an agent that the runtime never loads", () => {
  const module = new URL("./test-agents.ts", import.meta.url);
  const spec = { name: "undated", version: "1.0.0", module } as const;

  it("runs in its process, by the schemas of its definition", async () => {
    const input = z.object({ year: z.number() });
    const output = z.object({ year: z.number().transform(String) });
    const { submit } = await startRuntime([defineIsolatedAgent({ ...spec, input, output })]);
    await expect(submit("undated", { year: "2026" })).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    expect(await (await submit("undated", { year: 2026 })).result()).toEqual({ year: "2026" });
  });

  it.each([
    ["something else", "undated", "output.other"],
    ["nothing", "silent", "output"],
  ])("cannot answer past its output schema, with %s", async (_what, name, field) => {
    const output = z.object({ other: z.string() });
    const { submit } = await startRuntime([defineIsolatedAgent({ ...spec, name, output })]);
    expect(await failureOf(await submit(name, { year: 2026 }))).toMatchObject({
      code: "INTERNAL_ERROR",
      message: expect.stringContaining(field),
    });
  });
});

describe("an agent that cannot be loaded", () => {
  const run = (): never => {
    throw new Error("ran in the runtime's process");
  };
  const isolated = { version: "1.0.0", isolate: "process", run } as const;

  it("because its module does not export it says so", async () => {
    const module = new URL("./test-agents.ts", import.meta.url);
    const { submit } = await startRuntime([defineAgent({ ...isolated, name: "renamed", module })]);
    const { code, message } = await failureOf(await submit("renamed"));
    expect(code).toBe("INTERNAL_ERROR");
    expect(message).toContain("exports no agent renamed@1.0.0");
    expect(message).toContain("thorough@1.0.0");
  });

  it("because its module is not there says so", async () => {
    const { submit } = await startRuntime([defineAgent({ ...isolated, name: "lost", module: "/nowhere/agents.ts" })]);
    expect((await failureOf(await submit("lost"))).message).toContain("is not there: file:///nowhere/agents.ts");
  });

  it("because its module starts a runtime says so", async () => {
    const module = new URL("./test-server-module.ts", import.meta.url);
    const { submit } = await startRuntime([defineAgent({ ...isolated, name: "within-server", module })]);
    expect((await failureOf(await submit("within-server"))).message).toContain(
      "createRuntime was called where an isolated agent is loaded",
    );
  });
});
