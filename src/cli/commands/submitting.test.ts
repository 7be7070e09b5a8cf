/** `submit`, `watch` and `show` of trees, budgets and needed leases, against a runtime with a port of its own. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineAgent } from "../../agents/define-agent.ts";
import { createSystemWorld } from "../../platform/system-world.ts";
import { createRuntime, type Runtime } from "../../server/runtime.ts";
import { createMemoryStore } from "../../stores/memory/memory-store.ts";
import { runCli } from "../run-cli.ts";
import { createTestIo, type TestIo } from "../test-io.ts";

const worker = defineAgent({
  name: "worker",
  version: "1.0.0",
  async run(ctx, input: unknown) {
    await ctx.progress({ current: 1, total: 2 });
    await ctx.log("at \u001b[31mwork");
    await ctx.metric({ name: "cost.tools", value: 0.5, unit: "USD" });
    if (input === "fail") throw new Error("no luck");
    return input;
  },
});

const planner = defineAgent({
  name: "planner",
  version: "1.0.0",
  async run(ctx, input: unknown) {
    await ctx.log("planning");
    const child = await ctx.delegate("worker", input, { budget: { USD: "1.00" } });
    return child.result().catch(() => "without it");
  },
});

const reporter = defineAgent({
  name: "reporter",
  version: "1.0.0",
  needs: {
    "fs.read": { why: "the directory", patterns: ["/work/it's here/**"] },
    "cost.budget": { why: "what it spends", patterns: ["credits:100"] },
  },
  run: (ctx) => ctx.lease?.grants,
});

const world = createSystemWorld();
let runtime: Runtime;
let url = "";

beforeAll(async () => {
  runtime = await createRuntime({
    agents: [worker, planner, reporter],
    store: createMemoryStore(),
    authenticator: { authenticate: async () => ({ id: "me", tenant: "t", roles: ["user"] }) },
  });
  ({ url } = await runtime.listen({ port: 0 }));
});
afterAll(() => runtime.close());

interface Ran {
  readonly code: number;
  readonly io: Pick<TestIo, "stdout" | "stderr">;
}

async function run(argv: readonly string[], options: { width?: number; stdin?: string } = {}): Promise<Ran> {
  const env = { LEASEHOLD_URL: url, LEASEHOLD_TOKEN: "me" };
  const { width, stdin = "" } = options;
  const io = { ...createTestIo({ env, stdin, ...(width === undefined ? {} : { terminal: { width } }) }), world };
  return { code: await runCli(argv, io), io };
}

const PLAN = ["submit", "planner", '"go"', "--lease", "agent.delegate=worker", "--budget", "USD:5.00"];
const idIn = ({ io }: Ran): string => /job_\w+/.exec(io.stdout.text)?.[0] ?? "";

describe("a job that delegates, followed", () => {
  it("has the lines of its children under their names when piped", async () => {
    const { code, io } = await run(PLAN);
    expect(code).toBe(0);
    const lines = io.stdout.lines.map((line) => line.replace(/job_\w+/, "job_…"));
    expect(lines.filter((line) => line.startsWith("worker#1"))).toEqual([
      "worker#1 worker@1.0.0 job_…",
      "worker#1 progress 50% 1/2",
      "worker#1 info     at \\x1b[31mwork",
      "worker#1 metric   cost.tools 0.5 USD",
      "worker#1 metric   cost.budget.remaining 0.5 USD",
      "worker#1 success",
    ]);
    expect(lines).toContain("metric   cost.budget.remaining 4.5 USD");
    expect(lines.at(-1)).toBe("success planner@1.0.0 job_…");
  });

  it("says how a child ended that did not succeed", async () => {
    const { code, io } = await run(["submit", "planner", '"fail"', ...PLAN.slice(3)]);
    expect(code).toBe(0);
    expect(io.stdout.text).toContain("worker#1 error INTERNAL_ERROR: no luck\n");
  });

  it("has a gauge and the children under way at the bottom of a terminal", async () => {
    const { io } = await run(PLAN, { width: 60 });
    expect(io.stdout.text).toMatch(/█+ 5 of 5 USD left/);
    expect(io.stdout.text).toContain("\n  worker#1 worker@1.0.0 job_");
    expect(io.stdout.text).not.toContain("metric   cost.budget.remaining");
  });

  it("is one JSON object a line, each with its job, and ends with its own result", async () => {
    const { io } = await run([...PLAN, "--json"]);
    const objects = io.stdout.lines.map((line) => JSON.parse(line));
    const child = objects.find(({ type }) => type === "child");
    expect(child).toEqual({
      type: "child",
      job_id: expect.any(String),
      agent: "worker@1.0.0",
      parent_job_id: objects[0].job_id,
      delegate_id: expect.any(String),
    });
    const kinds = objects.filter(({ job_id, type }) => job_id === child.job_id && type === "event");
    expect(kinds.map(({ kind }) => kind)).toEqual(["progress", "log", "metric", "metric"]);
    expect(objects).toContainEqual({ type: "child_ended", job_id: child.job_id, final_status: "success" });
    expect(objects.at(-1)).toMatchObject({ type: "result", job_id: objects[0].job_id, result: "go" });
  });

  it("stands alone with --no-tree", async () => {
    const { io } = await run([...PLAN, "--no-tree"]);
    expect(io.stdout.text).not.toContain("worker#1");
  });

  it("is watched with its children, also when it ended long ago", async () => {
    const job = idIn(await run(PLAN));
    const { code, io } = await run(["watch", job]);
    expect(code).toBe(0);
    expect(io.stdout.text).toContain("worker#1 info     at");
    expect(io.stdout.lines.at(-1)).toBe(`success planner@1.0.0 ${job}`);
  });

  it("is shown with what is left of its budget, and its tree", async () => {
    const job = idIn(await run(PLAN));
    const { io } = await run(["show", job]);
    expect(io.stdout.text).toMatch(/^budget +4\.5 of 5 USD left, 0\.5 spent$/m);
    expect(io.stdout.text).toMatch(
      /^tree +planner@1\.0\.0 job_\w+ success ← this job\n +worker@1\.0\.0 job_\w+ success$/m,
    );
    const narrow = await run(["show", job], { width: 50 });
    expect(narrow.io.stdout.text).toMatch(
      /^tree {7}planner@1\.0\.0\n[\s\S]*^ {13}worker@1\.0\.0\n {13}job_\w+\n {13}success$/m,
    );
  });

  it("is told apart from what it delegated, in a list", async () => {
    await run(PLAN);
    const { io } = await run(["jobs", "--limit", "2"]);
    expect(io.stdout.lines.slice(1).map((line) => line.split(/ {2,}/).at(-1))).toEqual([
      "└ worker@1.0.0",
      "planner@1.0.0",
    ]);
  });
});

describe("an agent that needs more than was granted", () => {
  const GRANT =
    "leasehold submit reporter 1 --lease tool.call=grep --lease 'fs.read=/work/it'\\''s here/**' --budget credits:100";

  it("is refused with the command that would do", async () => {
    const { code, io } = await run(["submit", "reporter", "1", "--lease", "tool.call=grep"]);
    expect(code).toBe(6);
    expect(io.stdout.text).toBe("");
    expect(io.stderr.text).toBe(
      `leasehold: reporter needs fs.read (the directory), cost.budget (what it spends), which the lease does not grant: grant it with \`${GRANT}\`, or let --lease-from-needs ask\n`,
    );
  });

  it("is refused as JSON with the lease that would do", async () => {
    const { code, io } = await run(["submit", "reporter", "1", "--json"]);
    expect(code).toBe(6);
    expect(JSON.parse(io.stderr.text).error).toMatchObject({
      code: "PERMISSION_DENIED",
      details: {
        needs: { "fs.read": "the directory", "cost.budget": "what it spends" },
        lease_request: { "fs.read": ["/work/it's here/**"], "cost.budget": ["credits:100"] },
      },
    });
  });

  const FROM_NEEDS = ["submit", "reporter", "1", "--lease", "tool.call=grep", "--lease-from-needs"];

  it("is asked about on a terminal, and granted by a yes", async () => {
    const { code, io } = await run(FROM_NEEDS, { width: 100, stdin: "y\n" });
    expect(code).toBe(0);
    expect(io.stderr.text).toBe(
      [
        "reporter needs:",
        "  fs.read  /work/it's here/**  the directory",
        "  cost.budget  credits:100  what it spends",
        "Grant it, and submit? [y/N] ",
      ].join("\n"),
    );
    expect(io.stdout.text).toContain('"tool.call"');
    expect(io.stdout.text).toContain("credits:100");
  });

  it.each(["n\n", "\n", ""])("is not submitted after anything else: %j", async (stdin) => {
    const { code, io } = await run(FROM_NEEDS, { width: 100, stdin });
    expect(code).toBe(6);
    expect(io.stderr.text).toContain("nothing was granted, and nothing submitted");
  });

  it("is refused where nobody can be asked, and granted by --yes", async () => {
    const refused = await run(FROM_NEEDS);
    expect(refused.code).toBe(6);
    expect(refused.io.stderr.text).toContain(`${GRANT}\`, or add --yes, since nobody can be asked here`);
    const { code, io } = await run([...FROM_NEEDS, "--yes"]);
    expect(code).toBe(0);
    expect(io.stderr.text).toBe("");
  });

  it("takes --yes with --lease-from-needs alone", async () => {
    const { code, io } = await run(["submit", "reporter", "1", "--yes"]);
    expect(code).toBe(1);
    expect(io.stderr.text).toContain("--yes grants what --lease-from-needs would ask for");
  });
});
