import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EXIT_CODE_LINES } from "./exit-codes.ts";
import { runCli } from "./run-cli.ts";
import { createTestIo, type TestIo } from "./test-io.ts";

let cwd = "";
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "leasehold-cli-"));
});
afterEach(() => rmSync(cwd, { recursive: true }));

async function run(...argv: readonly string[]): Promise<{ readonly code: number; readonly io: TestIo }> {
  const io = createTestIo({ cwd });
  const code = await runCli(argv, io);
  expect(io.listening).toBe(0);
  return { code, io };
}

describe("help and version", () => {
  it("documents every exit code", async () => {
    const { code, io } = await run("--help");
    expect(code).toBe(0);
    for (const line of EXIT_CODE_LINES) expect(io.stdout.text).toContain(line);
    expect(io.stderr.text).toBe("");
  });

  it("is shown on stderr, as a failure, when no command is named", async () => {
    const { code, io } = await run();
    expect(code).toBe(1);
    expect(io.stdout.text).toBe("");
    expect(io.stderr.text).toContain("Usage: leasehold");
  });

  it.each([["version"], ["--version"], ["-V"]])("prints the version with %s", async (word) => {
    const { code, io } = await run(word);
    expect(code).toBe(0);
    expect(io.stdout.text).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it("prints it as JSON", async () => {
    const { io } = await run("version", "--json");
    expect(JSON.parse(io.stdout.text)).toEqual({ version: expect.any(String), node: process.versions.node });
  });
});

describe("wrong usage", () => {
  it.each([
    [["bogus"], "unknown command"],
    [["submit"], "missing required argument"],
    [["watch", "job_1", "--nope"], "unknown option '--nope'"],
    [["submit", "echo", "{"], "the input is not JSON"],
    [["submit", "echo", "1", "--input", "2"], "the input is given twice"],
    [["submit", "echo", "--lease", "fs.read"], "--lease must be namespace=pattern"],
    [["submit", "echo", "--budget", "5"], "--budget must be currency:amount"],
    [["submit", "echo", "--expires", "soon"], "--expires must be"],
    [["submit", "echo", "--max-runtime", "0"], "--max-runtime must be"],
    [["jobs", "--limit", "0"], "--limit must be"],
    [["jobs", "--status", "done"], "--status must be one of pending, running"],
    [["jobs", "--url", "nonsense", "--token", "t"], "is not the URL of a runtime"],
    [["dev", "--exit"], "belong to --run"],
    [["dev", "--lease", "fs.read=/**"], "belong to --run"],
    [["dev", "--budget", "USD:1"], "belong to --run"],
    [["dev", "--port", "99999"], "--port must be"],
    [["dev", "--port", "0"], "no agents are named"],
  ])("%j is answered with one line that says so", async (argv, message) => {
    const { code, io } = await run(...argv);
    expect(code).toBe(1);
    expect(io.stdout.text).toBe("");
    expect(io.stderr.lines).toEqual([expect.stringContaining(message)]);
    expect(io.stderr.text).toMatch(/^leasehold: /);
  });

  it("is answered in JSON with --json", async () => {
    const { code, io } = await run("submit", "--json");
    expect(code).toBe(1);
    expect(io.stdout.text).toBe("");
    const error = { code: "USAGE", message: expect.stringContaining("missing required argument 'agent'") };
    expect(JSON.parse(io.stderr.text)).toEqual({ error });
  });

  it("shows what was typed without obeying it", async () => {
    const { io } = await run("jobs", "--status", "\u001b[2J");
    expect(io.stderr.text).toContain("\\x1b[2J");
    expect(io.stderr.text).not.toContain("\u001b");
  });
});

describe("without a runtime", () => {
  it.each([["jobs"], ["submit", "echo"], ["watch", "job_1"], ["cancel", "job_1"]])(
    "%s says how to get one",
    async (...argv) => {
      const { code, io } = await run(...argv);
      expect(code).toBe(7);
      expect(io.stderr.lines).toEqual([expect.stringMatching(/leasehold dev.*LEASEHOLD_URL/)]);
    },
  );
});

describe("tokens", () => {
  it("are made, listed and revoked", async () => {
    const made = await run("token", "create", "ci-bot", "--operator", "--expires", "30d");
    expect(made.code).toBe(0);
    const token = made.io.stdout.text.trimEnd();
    expect(token).toMatch(/^\S{20,}$/);

    const listed = await run("token", "list", "--json");
    expect(listed.io.stdout.text).not.toContain(token);
    const [record] = listed.io.stdout.lines.map((line) => JSON.parse(line));
    expect(record).toMatchObject({ name: "ci-bot", principal: "ci-bot", roles: ["user", "operator"] });
    expect(Date.parse(record.expires_at) - Date.parse(record.created_at)).toBe(30 * 86_400_000);
    expect((await run("token", "list")).io.stdout.text).toContain("ci-bot");

    expect((await run("token", "revoke", "ci-bot")).code).toBe(0);
    expect((await run("token", "list", "--json")).io.stdout.text).toBe("");
    const again = await run("token", "revoke", "ci-bot");
    expect(again.code).toBe(5);
    expect(again.io.stderr.text).toContain("there is no token ci-bot");
  });

  it("are asked for before listening beyond loopback", async () => {
    const { code, io } = await run("serve", "agents.ts", "--host", "0.0.0.0");
    expect(code).toBe(1);
    expect(io.stderr.text).toMatch(/refusing to listen on 0\.0\.0\.0 without any token: .*leasehold token create/);
  });
});
