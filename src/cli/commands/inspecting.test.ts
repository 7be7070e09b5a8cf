/** `jobs`, `show`, `watch`, `artifact` against a runtime with a port of its own. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineAgent } from "../../agents/define-agent.ts";
import { connect } from "../../client/connect.ts";
import type { Session } from "../../client/session.ts";
import { createSystemWorld } from "../../platform/system-world.ts";
import { createRuntime, type Runtime } from "../../server/runtime.ts";
import { createMemoryStore } from "../../stores/memory/memory-store.ts";
import { displayWidth } from "../render/display-width.ts";
import { runCli } from "../run-cli.ts";
import { createTestIo, type TestIo } from "../test-io.ts";

const writer = defineAgent({
  name: "writer",
  version: "1.0.0",
  async run(ctx) {
    await ctx.log("first");
    await ctx.status("reading", "the \u001b[31mfiles");
    const artifact = await ctx.artifact({ name: "a.md", contentType: "text/markdown", data: "what was left" });
    return { artifact: artifact.uri, long: Array.from({ length: 40 }, (_, index) => index) };
  },
});
const poet = defineAgent({
  name: "poet",
  version: "2.0.0",
  async run(ctx) {
    const stream = ctx.streamResult();
    for (const word of ["roses ", "are ", "red"]) await stream.write(word);
    return stream.end();
  },
});
const bytes = defineAgent({
  name: "bytes",
  version: "1.0.0",
  async run(ctx) {
    const stream = ctx.streamResult({ encoding: "base64" });
    await stream.write(new Uint8Array(3));
    return stream.end();
  },
});
const verbose = defineAgent({ name: "verbose", version: "1.0.0", run: () => "x".repeat(100_000) });
const failing = defineAgent({
  name: "failing",
  version: "1.0.0",
  run() {
    throw new Error("no luck");
  },
});
const endless = defineAgent({
  name: "endless",
  version: "1.0.0",
  async run(ctx) {
    await ctx.progress({ current: 1, total: 4, units: "files" });
    await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
  },
});

/** Ages and `--since` are of this machine's time, as jobs are. */
const world = createSystemWorld();
let runtime: Runtime;
let url = "";
let cwd = "";
let me: Session;
/** By agent. */
const ids = new Map<string, string>();

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), "leasehold-cli-"));
  runtime = await createRuntime({
    agents: [writer, poet, bytes, verbose, failing, endless],
    store: createMemoryStore(),
    authenticator: {
      authenticate: async ({ token }) =>
        ["me", "you", "boss"].includes(token ?? "")
          ? { id: token ?? "", tenant: "t", roles: token === "boss" ? ["user", "operator"] : ["user"] }
          : undefined,
    },
  });
  ({ url } = await runtime.listen({ port: 0 }));
  me = await connect(url, { token: "me" });
  for (const agent of ["writer", "poet", "bytes", "failing"]) {
    const job = await me.submit(agent, {}, { lease: { "fs.read": ["/a/**", "/b"] }, budget: { USD: "5.00" } });
    await job.result().catch(() => {});
    ids.set(agent, job.id);
  }
  const job = await me.submit(
    "endless",
    {},
    { maxRuntimeSec: 3_600, expiresAt: new Date(world.clock.now() + 7_200_000) },
  );
  for await (const event of job.events()) if (event.kind === "progress") break;
  ids.set("endless", job.id);
});
afterAll(async () => {
  await me.close();
  await runtime.close();
  rmSync(cwd, { recursive: true });
});

function idOf(agent: string): string {
  return ids.get(agent) ?? "";
}

interface Ran {
  readonly code: number;
  readonly io: Pick<TestIo, "stdout" | "stderr">;
}

/** @param width of the terminal; a pipe without it. */
async function run(argv: readonly string[], token = "me", width?: number): Promise<Ran> {
  const env = { LEASEHOLD_URL: url, LEASEHOLD_TOKEN: token };
  const io = { ...createTestIo({ cwd, env, ...(width === undefined ? {} : { terminal: { width } }) }), world };
  return { code: await runCli(argv, io), io };
}

describe("leasehold jobs", () => {
  it("lists newest first, with what those under way are at", async () => {
    const { code, io } = await run(["jobs"]);
    expect(code).toBe(0);
    const [header, first, ...rest] = io.stdout.lines;
    expect(header).toMatch(/^JOB +STATUS +CREATED +AGENT +PROGRESS$/);
    expect(first).toMatch(/^job_\w+ +running +\d+s ago +endless@1\.0\.0 +25% 1\/4 files$/);
    expect(rest).toHaveLength(4);
  });

  it.each([
    [["--status", "error"], ["failing"]],
    [
      ["--status", "error,running", "--status", "success"],
      ["endless", "failing", "bytes", "poet", "writer"],
    ],
    [["--agent", "poet"], ["poet"]],
    [["--agent", "poet@1.0.0"], []],
    [
      ["--since", "1h", "--limit", "2"],
      ["endless", "failing"],
    ],
    [
      ["--since", "1h", "--all", "--until", "0s"],
      ["endless", "failing", "bytes", "poet", "writer"],
    ],
    [["--until", "1h"], []],
    [["--since", "2001-01-01", "--limit", "1"], ["endless"]],
    [["--principal", "you"], []],
    [["--principal", "t/me", "--limit", "1"], ["endless"]],
  ])("with %j", async (argv, agents) => {
    const { io } = await run(["jobs", "--json", ...argv]);
    expect(io.stdout.lines.map((line) => JSON.parse(line).agent.split("@")[0])).toEqual(agents);
    expect(io.stderr.text).toBe("");
  });

  it("tells whose they are where that differs, and nobody of what is not theirs", async () => {
    await using you = await connect(url, { token: "you" });
    await (await you.submit("writer", {})).result();
    expect((await run(["jobs"], "boss")).io.stdout.text).toMatch(/WHOSE.*t\/you.*t\/me/s);
    expect((await run(["jobs", "--principal", "you"], "boss")).io.stdout.lines).toHaveLength(2);
    expect((await run(["jobs", "--json"], "you")).io.stdout.lines).toHaveLength(1);
    expect((await run(["jobs", "--agent", "poet"], "you")).io.stderr.text).toBe("no jobs\n");
  });
});

describe("leasehold show", () => {
  it("tells of a job that succeeded", async () => {
    const { code, io } = await run(["show", idOf("writer")]);
    expect(code).toBe(0);
    const { text } = io.stdout;
    expect(text).toContain(`writer@1.0.0 ${idOf("writer")}\nstatus     success\n`);
    expect(text).toContain("phase      reading: the \\x1b[31mfiles\n");
    expect(text).toContain("may        read files: /a/**, /b\n           spend up to: 5.00 USD\n");
    expect(text).toMatch(/ended {6}\d{4}-\S+Z \(\d+s ago\), after \d+/);
    expect(text).toMatch(/artifacts {2}art_\w+ a\.md text\/markdown 13 bytes/);
    expect(text).toContain(`… all of it: leasehold watch ${idOf("writer")} --result-only\n`);
  });

  it("tells of one that runs: how far it has come, and until when it may", async () => {
    const { text } = (await run(["show", idOf("endless")])).io.stdout;
    expect(text).toContain("status     running\nprogress   ██████");
    expect(text).toContain("25% 1/4 files");
    expect(text).toMatch(/until \S+Z \(in [12]h\)\n/);
    expect(text).toMatch(/ends {7}at the latest \S+Z \(in (59m|1h)\)\n/);
  });

  it("tells why one failed, and what others gave", async () => {
    const failed = (await run(["show", idOf("failing")])).io.stdout.text;
    expect(failed).toContain("why        INTERNAL_ERROR: no luck (may succeed when submitted again)\n");
    expect((await run(["show", idOf("poet")])).io.stdout.lines.slice(-2)).toEqual(["", "roses are red"]);
    expect((await run(["show", idOf("bytes")])).io.stdout.lines.slice(-2)).toEqual(["", "(3 bytes)"]);
  });

  it("shows a long result's beginning only", async () => {
    await using boss = await connect(url, { token: "boss" });
    const job = await boss.submit("verbose", {});
    await job.result();
    const { lines } = (await run(["show", job.id], "boss")).io.stdout;
    expect(lines.at(-1)).toBe(`… all of it: leasehold watch ${job.id} --result-only`);
    expect(lines.at(-2)).toMatch(/^"?x{1999,2000}$/);
  });

  it("is one object with --json", async () => {
    const { lines } = (await run(["show", idOf("writer"), "--json"])).io.stdout;
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      job_id: idOf("writer"),
      status: "success",
      artifacts: [{ uri: expect.stringContaining("/api/artifacts/art_"), name: "a.md", byte_size: 13 }],
    });
  });

  it.each([
    ["me", "job_1"],
    ["you", undefined],
  ])("does not tell %s of a job that is not theirs", async (token, id) => {
    const { code, io } = await run(["show", id ?? idOf("writer")], token);
    expect({ code, stdout: io.stdout.text }).toEqual({ code: 5, stdout: "" });
    expect(io.stderr.lines).toEqual([expect.stringContaining("`leasehold jobs` lists the jobs you can see")]);
  });
});

describe("on a narrow terminal", () => {
  it.each([
    [["jobs"], 20],
    [["jobs"], 60],
    [["show", "writer"], 20],
    [["show", "endless"], 45],
    [["audit"], 20],
    [["audit"], 80],
  ])("%j fits %i columns", async ([command = "", agent], width) => {
    const { code, io } = await run([command, ...(agent === undefined ? [] : [idOf(agent)])], "me", width);
    expect(code).toBe(0);
    expect(io.stdout.lines.length).toBeGreaterThan(1);
    for (const line of io.stdout.lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
  });
});

describe("leasehold watch", () => {
  it("begins where it is told to", async () => {
    const all = (await run(["watch", idOf("writer"), "--json"])).io.stdout.lines.map((line) => JSON.parse(line));
    expect(all.map(({ type }) => type)).toEqual(["job", "event", "event", "event", "result"]);
    const from = (await run(["watch", idOf("writer"), "--from", "2", "--json"])).io.stdout.lines;
    expect(from.map((line) => JSON.parse(line).job_seq)).toEqual([undefined, 2, 3, undefined]);
    const now = (await run(["watch", idOf("writer"), "--no-history", "--json"])).io.stdout.lines;
    expect(now.map((line) => JSON.parse(line).type)).toEqual(["job", "result"]);
  });

  it("says of a result that began before how to have it", async () => {
    const { code, io } = await run(["watch", idOf("poet"), "--from", "3"]);
    expect(code).toBe(0);
    expect(io.stdout.text).toMatch(/^success poet@2\.0\.0 /m);
    expect(io.stderr.text).toBe(
      `its result began before: \`leasehold watch ${idOf("poet")} --result-only\` has all of it\n`,
    );
  });
});

describe("leasehold artifact", () => {
  it("writes it to a file, or to a pipe as it is", async () => {
    const { uri } = JSON.parse((await run(["show", idOf("writer"), "--json"])).io.stdout.text).artifacts[0];
    const id = uri.split("/").at(-1);
    expect((await run(["artifact", id])).io.stdout.text).toBe("what was left");
    const saved = await run(["artifact", uri, "-o", "left.md", "--json"], "me", 80);
    expect(JSON.parse(saved.io.stdout.text)).toEqual({ artifact_id: id, saved_to: "left.md", byte_size: 13 });
    expect(readFileSync(join(cwd, "left.md"), "utf8")).toBe("what was left");
    expect(readdirSync(cwd)).toEqual(["left.md"]);
    expect((await run(["artifact", id], "you")).code).toBe(5);
    expect((await run(["artifact", id], "me", 80)).io.stderr.text).toContain("has no place on a terminal");
    const unwritable = await run(["artifact", id, "-o", "no/such/place"]);
    expect(unwritable.code).toBe(1);
    expect(unwritable.io.stderr.lines).toEqual([expect.stringContaining("no/such/place cannot be written")]);
  });
});
