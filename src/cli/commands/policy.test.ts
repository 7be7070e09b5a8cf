import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCli } from "../run-cli.ts";
import { createTestIo } from "../test-io.ts";

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "leasehold-cli-"));
  const rules = [
    { name: "no", agents: ["bad"], refuse: "it is bad\u001b[2J" },
    { name: "operators", roles: ["operator"] },
    {
      name: "cut",
      principals: ["acme/ci"],
      lease: { "fs.read": ["/w/**"] },
      budget: { USD: "2" },
      maxLeaseSec: 60,
      maxRuntimeSec: 30,
      maxJobs: 5,
      beyond: "cut",
    },
    { name: "team", principals: ["acme/*"], lease: { "tool.call": ["look"] } },
  ];
  writeFileSync(join(cwd, "policy.json"), JSON.stringify({ rules }));
});
afterEach(() => rmSync(cwd, { recursive: true }));

async function test(...more: readonly string[]) {
  const io = createTestIo({ cwd });
  const words = [
    "policy",
    "test",
    "--policy",
    "policy.json",
    "--principal",
    "acme/ci",
    "--agent",
    "report@1.0.0",
    ...more,
  ];
  const code = await runCli(words, io);
  return { code, lines: io.stdout.lines, error: io.stderr.text, now: io.world.clock.now() };
}

describe("leasehold policy test", () => {
  it("says what is left of a submission", async () => {
    const { code, lines, now } = await test("--lease", "fs.read=/**", "--budget", "USD:5", "--max-runtime", "1h");
    expect(code).toBe(0);
    expect(lines).toEqual([
      "allowed by rule cut, with less than was asked for",
      "read files: /w/**",
      "spend up to: 2 USD",
      `until: ${new Date(now + 60_000).toISOString()}`,
      "run for at most: 30 s",
      "jobs under way at most: 5",
    ]);
  });

  it("says so in JSON, as a submission would have it", async () => {
    const { code, lines, now } = await test(
      "--json",
      "--lease-json",
      '{"fs.read":["/w/a"],"cost.budget":["USD:1"]}',
      "--expires",
      "10s",
    );
    expect(code).toBe(0);
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      {
        allowed: true,
        rule: "cut",
        reduced: true,
        lease_request: { "fs.read": ["/w/a"], "cost.budget": ["USD:1"] },
        lease_constraints: { expires_at: new Date(now + 10_000).toISOString() },
        max_runtime_sec: 30,
        max_jobs: 5,
      },
    ]);
  });

  it("takes nothing where nothing is beyond", async () => {
    expect(await test("--roles", "user,operator", "--lease", "fs.write=/x", "--max-runtime", "5")).toMatchObject({
      lines: ["allowed by rule operators", "write files: /x", "run for at most: 5 s"],
    });
    const bare = await test("--roles", "operator", "--json");
    expect(JSON.parse(bare.lines[0] ?? "")).toEqual({
      allowed: true,
      rule: "operators",
      reduced: false,
      lease_request: null,
    });
  });

  it("refuses with the rule and its reason, and an exit code", async () => {
    expect(await test("--agent", "bad@1.0.0")).toMatchObject({
      code: 6,
      lines: ["refused by rule no: it is bad\\x1b[2J"],
    });
    expect(await test("--principal", "other/x")).toMatchObject({
      code: 6,
      lines: ["refused: no rule of it is for this principal and agent"],
    });
    const json = await test("--principal", "acme/ada", "--lease", "tool.call=*", "--json");
    expect(json.code).toBe(6);
    expect(JSON.parse(json.lines[0] ?? "")).toEqual({
      allowed: false,
      rule: "team",
      reason: "tool.call * lies beyond what may be granted, look",
    });
  });

  it("knows models that need not be named", async () => {
    expect((await test("--any-model")).lines).toContain("use models: ");
    expect((await test()).lines.join()).not.toContain("models");
  });

  it("says whether such a principal could grant a permission", async () => {
    expect(await test("--permission", "fs.read=/w/../w/a")).toMatchObject({ code: 0, lines: ["allowed by rule cut"] });
    expect(await test("--permission", "fs.read=/w/../x")).toMatchObject({ code: 6 });
  });

  it.each([
    [["--principal", "acme"], "--principal must be tenant/id"],
    [["--principal", "acme/*"], "--principal must be tenant/id"],
    [["--roles", "admin"], "--roles must be user, operator or both"],
    [["--agent", "report"], "--agent must be name@version"],
    [["--permission", "refund"], "--permission must be namespace=target"],
    [["--lease", "fs.read=a"], "must be an absolute path"],
    [["--policy", "missing.json"], "cannot read missing.json"],
  ])("refuses %j", async (words, message) => {
    const { code, lines, error } = await test(...words);
    expect({ code, lines }).toEqual({ code: 1, lines: [] });
    expect(error).toContain(message);
  });

  it.each([
    ["{", "policy.json is not JSON"],
    ['{"rules":[{"name":"a","maxJob":1}]}', "policy.json: rules[0].maxJob is no part of a rule"],
  ])("names what is wrong with a file that holds %s", async (text, message) => {
    writeFileSync(join(cwd, "policy.json"), text);
    expect(await test()).toMatchObject({ code: 1, error: expect.stringContaining(message) });
  });
});
