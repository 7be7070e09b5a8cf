/** Every command, wrongly used or in a wrong place, ends with one clear line and the exit code for it. */
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSystemWorld } from "../platform/system-world.ts";
import { createRuntime, type Runtime } from "../server/runtime.ts";
import { createMemoryStore } from "../stores/memory/memory-store.ts";
import { createProgram } from "./program.ts";
import { displayWidth } from "./render/display-width.ts";
import { runCli } from "./run-cli.ts";
import { createTestIo, type TestIo } from "./test-io.ts";

let cwd = "";
let runtime: Runtime;
let url = "";
/** Somebody else's server, which knows nothing of us. */
const stranger = createServer((_, response) => void response.writeHead(404).end("<html>"));
let strangerUrl = "";

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), "leasehold-cli-"));
  writeFileSync(join(cwd, "file"), "this is text");
  mkdirSync(join(cwd, "full"));
  writeFileSync(join(cwd, "full", "some.txt"), "");
  runtime = await createRuntime({
    agents: [],
    store: createMemoryStore(),
    authenticator: {
      authenticate: async ({ token }) => (token === "good" ? { id: "me", tenant: "t", roles: ["user"] } : undefined),
    },
  });
  ({ url } = await runtime.listen({ port: 0 }));
  stranger.listen(0, "127.0.0.1");
  await once(stranger, "listening");
  strangerUrl = `ws://127.0.0.1:${(stranger.address() as AddressInfo).port}/arcp`;
});
afterAll(async () => {
  stranger.closeAllConnections();
  stranger.close();
  await runtime.close();
  rmSync(cwd, { recursive: true });
});

type Env = Readonly<Record<string, string>>;

async function run(argv: readonly string[], env: Env = {}) {
  const io = { ...createTestIo({ cwd, env }), world: createSystemWorld() };
  return { code: await runCli(argv, io), io };
}

/** One line on stderr, and nothing else. */
async function expectOneLine(argv: readonly string[], env: Env, code: number, says: string | RegExp): Promise<void> {
  const ran = await run(argv, env);
  const lines = ran.io.stderr.lines.filter((line) => !line.startsWith("warn "));
  const told = typeof says === "string" ? expect.stringContaining(says) : expect.stringMatching(says);
  expect(lines).toEqual([told]);
  expect(lines[0]).toMatch(/^leasehold: /);
  expect({ code: ran.code, stdout: ran.io.stdout.text }).toEqual({ code, stdout: "" });
}

/** All commands that do something, by the words that are typed. */
function commandsOf(command: Command, words: readonly string[] = []): (readonly [string, Command])[] {
  const own = command.commands.filter((one) => one.name() !== "help");
  if (own.length === 0) return [[words.join(" "), command]];
  return own.flatMap((one) => commandsOf(one, [...words, one.name()]));
}
const COMMANDS = commandsOf(createProgram(createTestIo(), () => {}));

describe.each(COMMANDS)("leasehold %s", (words, command) => {
  const argv = words.split(" ");

  it("has help that fits a terminal, with an example that is true", async () => {
    const io: TestIo = createTestIo({ terminal: { width: 80 } });
    expect(await runCli([...argv, "--help"], io)).toBe(0);
    expect(io.stdout.lines.every((line) => displayWidth(line) <= 80)).toBe(true);
    const example = io.stdout.lines.at(io.stdout.lines.indexOf("Example:") + 1) ?? "";
    const typed = (example.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replaceAll("'", ""));
    expect(typed.slice(0, argv.length + 1)).toEqual(["leasehold", ...argv]);
    const { operands, unknown } = command.parseOptions(typed.slice(argv.length + 1));
    expect(unknown).toEqual([]);
    const { registeredArguments: known } = command;
    expect(operands.length).toBeGreaterThanOrEqual(known.filter(({ required }) => required).length);
    expect(known.at(-1)?.variadic === true || operands.length <= known.length).toBe(true);
  });

  it("refuses an option it does not have", () =>
    expectOneLine([...argv, "a", "--colour", "red"], {}, 1, "unknown option '--colour'"));

  const { registeredArguments: known } = command;
  if (known.some(({ required }) => required)) {
    it("refuses to guess an argument", () => expectOneLine(argv, {}, 1, "missing required argument"));
  }
  if (known.at(-1)?.variadic !== true) {
    it("refuses more arguments than it has", () =>
      expectOneLine([...argv, "a", "b", "c", "d"], {}, 1, "too many arguments"));
  }
});

const CLIENTS: readonly (readonly string[])[] = [
  ["submit", "echo"],
  ["watch", "job_1"],
  ["show", "job_1"],
  ["artifact", "art_1"],
  ["jobs"],
  ["cancel", "job_1"],
  ["audit"],
];

describe.each(CLIENTS)("leasehold %s %s", (...words) => {
  const argv = words.filter((word) => word !== undefined);

  it.each([
    [{ LEASEHOLD_URL: "nonsense", LEASEHOLD_TOKEN: "t" }, 1, '"nonsense" is not the URL of a runtime'],
    [{ LEASEHOLD_URL: "ftp://127.0.0.1", LEASEHOLD_TOKEN: "t" }, 1, "is not the URL of a runtime"],
    [{ LEASEHOLD_URL: "ws://a:b@127.0.0.1", LEASEHOLD_TOKEN: "t" }, 1, "holds no user or password"],
    [{ LEASEHOLD_URL: "ws://127.0.0.1:1", LEASEHOLD_TOKEN: "t" }, 7, "cannot be reached"],
    [{ LEASEHOLD_URL: "ws://nobody.invalid", LEASEHOLD_TOKEN: "t" }, 7, "cannot be reached"],
    [{ LEASEHOLD_URL: "ws://127.0.0.1:1", LEASEHOLD_TOKEN: "" }, 6, "there is no token for ws://127.0.0.1:1/arcp"],
    [{ LEASEHOLD_URL: "ws://127.0.0.1:1", LEASEHOLD_TOKEN: "a\nb" }, 1, "the token holds"],
    [{ LEASEHOLD_URL: "ws://127.0.0.1:1", LEASEHOLD_TOKEN: "gehe\u00efm" }, 1, "the token holds"],
    [{ LEASEHOLD_URL: "", LEASEHOLD_TOKEN: "t" }, 7, "no runtime is known here"],
  ])("with %j", (env, code, says) => expectOneLine(argv, env, code, says));

  it("with a wrong token", () =>
    expectOneLine(argv, { LEASEHOLD_URL: url, LEASEHOLD_TOKEN: "wrong" }, 6, "check the token"));

  it("at a server that is no runtime", async () => {
    const { code, io } = await run(argv, { LEASEHOLD_URL: strangerUrl, LEASEHOLD_TOKEN: "t" });
    expect(io.stderr.lines).toEqual([expect.stringMatching(/^leasehold: .*check.* URL/)]);
    expect([1, 7]).toContain(code);
  });
});

describe("what no job, agent or artifact is called", () => {
  it.each(CLIENTS.filter(([command]) => !["jobs", "audit"].includes(command ?? "")))("%s %s", (...words) =>
    expectOneLine(
      words.filter((word) => word !== undefined),
      { LEASEHOLD_URL: url, LEASEHOLD_TOKEN: "good" },
      5,
      /^leasehold: /,
    ),
  );

  it.each([["../jobs"], [""], ["a/b"], ["%"], ["é\u001b[2J"], ["x".repeat(3_000)]])("show %j", async (id) => {
    const { code, io } = await run(["show", id], { LEASEHOLD_URL: url, LEASEHOLD_TOKEN: "good" });
    expect(io.stderr.lines).toEqual([expect.stringMatching(/^leasehold: /)]);
    expect(io.stderr.text).not.toContain("\u001b");
    expect([1, 5]).toContain(code);
  });
});

describe("values that make no sense", () => {
  it.each([
    [["init", "full"], {}, "full is not empty"],
    [["init", "file"], {}, "no project can be made in file"],
    [["init", "file/below"], {}, "no project can be made in file/below"],
    [["init", "/dev/null/project"], {}, "no project can be made in /dev/null/project"],
    [["watch", "job_1", "--from", "0"], {}, "--from must be a whole number from 1"],
    [["watch", "job_1", "--from", "2", "--no-history"], {}, "--from and --no-history exclude each other"],
    [["watch", "job_1", "--no-history", "--result-only"], {}, "from a job's beginning only"],
    [["jobs", "--all", "--limit", "3"], {}, "--all and --limit exclude each other"],
    [["jobs", "--limit", "1001"], {}, "--limit must be a whole number from 1 to 1000"],
    [["jobs", "--status", "running,done"], {}, 'not "done"'],
    [["jobs", "--since", "soon"], {}, "--since must be a time"],
    [["jobs", "--since", "2026-02-31"], {}, "--since must be a time"],
    [["jobs", "--until", "-2h"], {}, "--until must be a time"],
    [["jobs", "--since", "1h", "--until", "2h"], {}, "--since is later than --until"],
    [["audit", "--limit", "many"], {}, "--limit must be"],
    [["audit", "--action", "nonsense"], { LEASEHOLD_URL: "", LEASEHOLD_TOKEN: "" }, "no runtime is known here"],
    [["token", "create", ""], {}, "name"],
    [["token", "create", "ci", "--expires", "never"], {}, "--expires must be"],
    [["token", "create", "ci", "--data", "file"], {}, "file"],
    [["serve", "--data", "file", "--conformance-agents"], {}, "file"],
    [["serve", "--drain", "soon"], {}, "--drain must be"],
    [["serve", "--stdio", "--port", "1"], {}, "--stdio listens nowhere"],
    [["serve", "missing.ts", "--port", "0"], {}, "missing.ts cannot be read"],
    [["serve", "--max-connections", "0", "--conformance-agents"], {}, "--max-connections must be"],
    [["serve", "--policy", "file", "--conformance-agents"], {}, "file is not JSON"],
    [["serve", "--observe", "file", "--conformance-agents"], {}, "file holds no policy"],
    [["serve", "--tls-cert", "file", "--conformance-agents"], {}, "--tls-cert and --tls-key go together"],
    [["serve", "--conformance-agents"], { LEASEHOLD_JWT_AUDIENCE: "us" }, "without the issuer"],
    [["serve", "--conformance-agents"], { LEASEHOLD_JWT_ISSUER: "nonsense", LEASEHOLD_JWT_AUDIENCE: "us" }, "nonsense"],
    [["dev", "--port", "http"], {}, "--port must be"],
    [["dev", "--conformance-agents", "--host", "nobody.invalid", "--port", "0"], {}, "cannot listen on nobody.invalid"],
    [["dev", "--input", "1"], {}, "belong to --run"],
    [["conformance", "nonsense"], {}, "nonsense"],
  ])("%j with %j", async (argv, env, says) => {
    const code = says.startsWith("no runtime") ? 7 : 1;
    await expectOneLine(argv, env, code, says);
  });
});
