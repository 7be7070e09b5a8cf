/** `permissions` against a runtime with a port of its own: what is printed, for whom, and the exit codes. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { defineAgent } from "../../agents/define-agent.ts";
import { connect } from "../../client/connect.ts";
import type { Session } from "../../client/session.ts";
import { createSystemWorld } from "../../platform/system-world.ts";
import { createRuntime, type Runtime } from "../../server/runtime.ts";
import { createMemoryStore } from "../../stores/memory/memory-store.ts";
import { runCli } from "../run-cli.ts";
import { createTestIo } from "../test-io.ts";

/** Asks for what its input says, and runs on. */
const asking = defineAgent({
  name: "asking",
  version: "1.0.0",
  async run(ctx, args: unknown) {
    await ctx.requestPermission({
      permission: "tool.call",
      resource: "refund",
      operation: "call",
      reason: "charged \u001b[31mtwice",
      leaseSeconds: 600,
      args,
    });
    await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
  },
});

const world = createSystemWorld();
let runtime: Runtime;
let url = "";
let me: Session;

beforeAll(async () => {
  runtime = await createRuntime({
    agents: [asking],
    store: createMemoryStore(),
    observe: { "t/you": ["t/me"] },
    authenticator: {
      authenticate: async ({ token = "" }) =>
        ["me", "you", "boss", "stranger"].includes(token)
          ? { id: token, tenant: "t", roles: token === "boss" ? ["user", "operator"] : ["user"] }
          : undefined,
    },
  });
  ({ url } = await runtime.listen({ port: 0 }));
  me = await connect(url, { token: "me" });
});
afterAll(async () => {
  await me.close();
  await runtime.close();
});

async function run(argv: readonly string[], { token = "me", width }: { token?: string; width?: number } = {}) {
  const env = { LEASEHOLD_URL: url, LEASEHOLD_TOKEN: token };
  const io = { ...createTestIo({ env, ...(width === undefined ? {} : { terminal: { width } }) }), world };
  const code = await runCli(["permissions", ...argv], io);
  return { code, out: io.stdout.text, lines: io.stdout.lines, err: io.stderr.text };
}

let job = "";
let id = "";
beforeEach(async () => {
  const submitted = await me.submit("asking", { amount: "5.00" });
  for await (const request of me.permissions.requests()) {
    if (request.jobId !== submitted.id) continue;
    [job, id] = [submitted.id, request.id];
    break;
  }
  return async () => {
    await submitted.cancel();
  };
});

describe("list", () => {
  it("is a table of what waits", async () => {
    const { code, lines } = await run(["list", "--job", job]);
    expect(code).toBe(0);
    expect(lines[0]).toMatch(/^PERMISSION +STATE +ASKED +AGENT +WHAT +ARGS +WHY$/);
    expect(lines[1]).toMatch(
      new RegExp(
        `^${id} +pending +\\d+s ago +asking@1\\.0\\.0 +tool\\.call refund \\(call\\) +\\{"amount":"5\\.00"\\} +charged`,
      ),
    );
    expect(lines[1]).not.toContain("\u001b");
  });

  it("is a JSON object a line", async () => {
    const { lines } = await run(["list", "--json", "--job", job]);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { permission_id: id, state: "pending", args: { amount: "5.00" }, requested_lease_seconds: 600 },
    ]);
  });

  it("is of other states when asked, and says when there are none", async () => {
    expect(await run(["list", "--job", job, "--state", "granted,denied"])).toMatchObject({ err: "no permissions\n" });
    expect((await run(["list", "--job", job, "--all"])).lines).toHaveLength(2);
    expect(await run(["list"], { token: "stranger" })).toMatchObject({ out: "", err: "nobody waits for a decision\n" });
  });

  it("fits a narrow terminal", async () => {
    const { lines } = await run(["list", "--job", job], { width: 60 });
    expect(lines.find((line) => line.startsWith("WHAT"))).toMatch(/^WHAT +tool\.call refund \(call\)$/);
  });

  it.each([
    [["--state", "lost"], "--state must be one of pending, granted"],
    [["--state", "denied", "--all"], "--all and --state exclude each other"],
    [["--limit", "0"], "--limit must be a whole number"],
  ])("refuses %j", async (options, says) => {
    expect(await run(["list", ...options])).toMatchObject({ code: 1, err: expect.stringContaining(says) });
  });
});

describe("show", () => {
  it("tells all there is, what was decided too", async () => {
    const waiting = await run(["show", id]);
    expect(waiting.out).toMatch(/^args +\{"amount":"5\.00"\}$/m);
    expect(waiting.out).toMatch(/^why +charged \\x1b\[31mtwice$/m);
    expect(waiting.out).toMatch(/^asks for +10m$/m);
    expect(waiting.out).toMatch(/^lapses +20/m);
    await run(["deny", id, "--reason", "too much"], { token: "boss" });
    const { out } = await run(["show", id]);
    expect(out).toMatch(/^state +denied$/m);
    expect(out).toMatch(/^by +t\/boss\nbecause +too much$/m);
  });
});

describe("a decision", () => {
  it("is printed as a line, and by the grant's name, too", async () => {
    const granted = await run(["grant", id, "--for", "2m", "--reason", "fine"]);
    expect(granted).toMatchObject({ code: 0, err: "" });
    expect(granted.out).toMatch(/^granted tool\.call refund \(call\), until 20\S+Z\n$/);
    const extended = await run(["extend", id.replace("perm_", "lease_"), "10m", "--json"]);
    const { requested_at, expires_at, state } = JSON.parse(extended.out);
    expect(state).toBe("granted");
    expect(Date.parse(expires_at) - Date.parse(requested_at)).toBeGreaterThanOrEqual(720_000);
    expect((await run(["revoke", id.replace("perm_", "lease_")])).out).toBe("revoked tool.call refund (call)\n");
    expect(await run(["grant", id])).toMatchObject({ code: 1, err: expect.stringContaining("is revoked") });
  });

  it.each([
    ["grant", [], "you", 6],
    ["deny", [], "you", 6],
    ["revoke", [], "you", 6],
    ["extend", ["1m"], "you", 6],
    ["grant", [], "stranger", 5],
    ["show", [], "stranger", 5],
  ])("%s %j by %s ends with %i when it is not theirs", async (what, more, token, code) => {
    expect(await run([what, id, ...more], { token })).toMatchObject({ code, out: "" });
  });

  it.each([
    [["grant", "perm_1", "--for", "soon"], "--for must be a length of time"],
    [["extend", "lease_1", "0"], "how much longer must be a length of time"],
  ])("refuses %j", async (argv, says) => {
    expect(await run(argv)).toMatchObject({ code: 1, err: expect.stringContaining(says) });
  });
});

it("watching the job says what to type", async () => {
  const env = { LEASEHOLD_URL: url, LEASEHOLD_TOKEN: "me" };
  const io = { ...createTestIo({ env, terminal: { width: 100 } }), world };
  const watching = runCli(["watch", job], io);
  await run(["deny", id]);
  expect(await watching).toBe(2);
  expect(io.stdout.text).toContain(`leasehold permissions grant ${id}`);
  expect(io.stdout.text).toContain("denied tool.call refund (call)");
});
