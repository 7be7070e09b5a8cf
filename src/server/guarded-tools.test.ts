/** What an agent is handed, under a lease, in a runtime: the way a client's submission goes, down to the file and the socket. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { readFile, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AgentContext } from "../agents/agent-context.ts";
import { defineAgent } from "../agents/define-agent.ts";
import { JobError } from "../client/errors.ts";
import type { SubmitOptions } from "../client/submission.ts";
import { createMemoryStore } from "../stores/memory/memory-store.ts";
import { createRuntime, type Runtime } from "./runtime.ts";

let directory: string;
let runtime: Runtime;
let work: (ctx: AgentContext) => Promise<unknown>;

beforeEach(async () => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "leasehold-guarded-")));
  await writeFile(join(directory, "a.txt"), "hello");
  const worker = defineAgent({ name: "worker", version: "1.0.0", run: (ctx) => work(ctx) });
  const data = join(directory, "data");
  runtime = await createRuntime({ agents: [worker], store: createMemoryStore(), data });
});
afterEach(async () => {
  await runtime.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Runs `task` as a job. Returns its outcome, and its calls as its events tell of them. */
async function run(task: (ctx: AgentContext) => Promise<unknown>, options: SubmitOptions = {}) {
  work = task;
  const job = await runtime.submit("worker", {}, options);
  const calls: unknown[] = [];
  for await (const event of job.events()) {
    if (event.kind === "tool_call") calls.push({ tool: event.body.tool, args: event.body.args });
    if (event.kind === "tool_result") {
      const { result, error } = event.body as { result?: unknown; error?: { code: string } };
      Object.assign(calls.at(-1) as object, error === undefined ? { result } : { code: error.code });
    }
  }
  const outcome = await job.result().catch((error: unknown) => error);
  return { job, calls, outcome };
}

describe("guarded tools in a runtime", () => {
  it("do what the lease covers, and say on the log what they did [arcp-9.1-every-operation-covered]", async () => {
    const server = createServer((_, response) => response.end("from the net")).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const path = join(directory, "a.txt");
    try {
      const { outcome, calls } = await run(
        async (ctx) => {
          const text = await ctx.fs.readText(path);
          const answer = await (await ctx.fetch(`${origin}/a`)).text();
          await ctx.fs.write(join(directory, "b.txt"), `${text} ${answer}`);
          await ctx.authorize("x-acme.db", "users");
          return await ctx.tool("join", { text }, () => [text, answer]);
        },
        {
          lease: {
            "fs.read": [`${directory}/**`],
            "fs.write": [`${directory}/b.txt`, `${directory}/x`],
            "net.fetch": [`${origin}/**`],
            "tool.call": ["join"],
            "x-acme.db": ["users"],
          },
        },
      );
      expect(outcome).toEqual(["hello", "from the net"]);
      expect(calls).toMatchObject([
        { tool: "fs.read", args: { path }, result: { bytes: 5 } },
        { tool: "fetch", args: { method: "GET", url: `${origin}/a` }, result: { status: 200 } },
        { tool: "fs.write", result: { bytes: 18 } },
        { tool: "join", result: ["hello", "from the net"] },
      ]);
      expect(await readFile(join(directory, "b.txt"), "utf8")).toBe("hello from the net");
    } finally {
      server.close();
    }
  });

  it("do nothing else, whatever the agent makes of it [arcp-9.3-permission-denied]", async () => {
    await symlink("/etc/hostname", join(directory, "link"));
    const refused = async (attempt: Promise<unknown>): Promise<unknown> =>
      await attempt.then(
        () => "was done",
        (error) => error.code,
      );
    const { outcome, calls } = await run(
      async (ctx) => [
        await refused(ctx.fs.read("/etc/hostname")),
        await refused(ctx.fs.read(join(directory, "link"))),
        await refused(ctx.fs.write(join(directory, "a.txt"), "changed")),
        await refused(ctx.fetch("http://127.0.0.1:9/")),
        await refused(ctx.tool("rm", {}, () => "ran")),
        await refused(ctx.authorize("x-acme.db", "users")),
        await refused(ctx.assertModelAllowed("gpt")),
      ],
      { lease: { "fs.read": [`${directory}/**`] } },
    );
    expect(outcome).toEqual(Array(7).fill("PERMISSION_DENIED"));
    expect(calls).toMatchObject(Array(7).fill({ code: "PERMISSION_DENIED" }));
    expect(await readFile(join(directory, "a.txt"), "utf8")).toBe("hello");
  });

  it("keep out of the runtime's own data, whatever the lease says", async () => {
    const { outcome, calls } = await run(
      async (ctx) => await ctx.fs.write(join(directory, "data/tokens.json"), "[]").catch((error) => error.message),
      { lease: { "fs.write": ["**"] } },
    );
    expect(outcome).toContain("which no lease covers");
    expect(calls).toMatchObject([{ tool: "fs.write", code: "PERMISSION_DENIED" }]);
  });

  it("end a job that does not catch a refusal, with its code and what it was about", async () => {
    const { outcome } = await run((ctx) => ctx.fs.read(join(directory, "a.txt")));
    expect(outcome).toBeInstanceOf(JobError);
    expect(outcome).toMatchObject({
      code: "PERMISSION_DENIED",
      details: { capability: "fs.read", target: join(directory, "a.txt"), patterns: [] },
    });
  });

  it("hand nothing out, and change nothing, once the job was cancelled", async () => {
    const begun = Promise.withResolvers<void>();
    const over = Promise.withResolvers<unknown[]>();
    work = async (ctx) => {
      const { fs, fetch, tool } = ctx;
      begun.resolve();
      await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
      const attempts = await Promise.allSettled([
        fs.readText(join(directory, "a.txt")),
        fs.write(join(directory, "a.txt"), "late"),
        fetch("http://127.0.0.1:9/"),
        tool("late", {}, () => "ran"),
        ctx.authorize("tool.call", "late"),
      ]);
      over.resolve(attempts.map((attempt) => (attempt.status === "rejected" ? attempt.reason.code : attempt)));
    };
    const job = await runtime.submit(
      "worker",
      {},
      { lease: { "fs.read": ["**"], "fs.write": ["**"], "tool.call": ["*"] } },
    );
    await begun.promise;
    await job.cancel("enough");
    expect(await over.promise).toEqual(Array(5).fill("CANCELLED"));
    expect(await readFile(join(directory, "a.txt"), "utf8")).toBe("hello");
  });
});
