import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { defineIsolatedAgent } from "./define-isolated-agent.ts";
import * as agents from "./test-escapes.ts";
import { eventsOf, failureOf, firstOf, isAlive, startRuntime, type TestRuntime } from "./test-runtime.ts";

const { ESCAPE_NAMES, ...definitions } = agents;
const ALL = Object.values(definitions);

async function temporaryDirectory(): Promise<string> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), "leasehold-escapes-")));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

type Outcomes = Readonly<Record<string, { readonly got?: unknown; readonly refused?: string }>>;
type Grants = Readonly<Record<string, readonly string[]>>;

const named = (pattern: RegExp): readonly string[] => ESCAPE_NAMES.filter((name) => pattern.test(name));

async function tryAll(
  { submit }: TestRuntime,
  names: readonly string[],
  path: string,
  lease: Grants = {},
): Promise<Outcomes> {
  const outcomes = (await (await submit("escaping", [names, path], { lease })).result()) as Outcomes;
  expect(Object.keys(outcomes)).toEqual(names);
  return outcomes;
}

const REFUSED =
  /^PERMISSION_DENIED$|^EACCES$|^ERR_(ACCESS_DENIED|DLOPEN_DISABLED|UNKNOWN_BUILTIN_MODULE|UNSUPPORTED_DIR_IMPORT)$|^TypeError: Cannot destructure/;

/** Those that were not refused, with what they got. */
function successes(outcomes: Outcomes): unknown {
  return Object.entries(outcomes).filter(([, { refused = "" }]) => !REFUSED.test(refused));
}

describe("an isolated agent that tries to get out", () => {
  it("[attack-raw-fs] [attack-moved-directory] [attack-unix-socket] reads and writes nothing that its lease does not name", async () => {
    const runtime = await startRuntime(ALL);
    const directory = await temporaryDirectory();
    const granted = join(directory, "granted");
    await mkdir(granted);
    const secret = join(directory, "secret.json");
    await writeFile(secret, '"secret"');
    const lease = { "fs.read": [`${granted}/**`], "fs.write": [`${granted}/**`] };
    const names = named(/file|link|report|snapshot|database|directory/);
    for (const path of [secret, `${granted}/../secret.json`, directory]) {
      expect(successes(await tryAll(runtime, names, path, lease))).toEqual([]);
    }
    expect(await readFile(secret, "utf8")).toBe('"secret"');
  });

  it("may use node:fs on what its lease does name", async () => {
    const runtime = await startRuntime(ALL);
    const directory = await temporaryDirectory();
    const [a, b, c] = ["a", "b", "c"].map((name) => join(directory, name)) as [string, string, string];
    await writeFile(a, "content");
    const lease = { "fs.read": [`${directory}/**`], "fs.write": [b] };
    expect(await tryAll(runtime, ["read a file"], a, lease)).toEqual({ "read a file": { got: "content" } });
    expect(await tryAll(runtime, ["write a file"], b, lease)).toEqual({ "write a file": { got: null } });
    expect(successes(await tryAll(runtime, ["write a file"], c, lease))).toEqual([]);
  });

  it("follows no link by node:fs that the lease names, and one within it only because Node does", async () => {
    const runtime = await startRuntime(ALL);
    const directory = await temporaryDirectory();
    const granted = join(directory, "granted");
    await mkdir(granted);
    await mkdir(join(directory, "outside"));
    await writeFile(join(directory, "outside", "a"), "content");
    await symlink(join(directory, "outside"), join(directory, "link"));
    await symlink(join(directory, "outside"), join(granted, "link"));
    const linked = await tryAll(runtime, ["read a file"], join(directory, "link", "a"), {
      "fs.read": [`${directory}/link/**`],
    });
    expect(successes(linked)).toEqual([]);
    // What docs/guides/isolation.md says is left open.
    const within = await tryAll(runtime, ["read a file"], join(granted, "link", "a"), { "fs.read": [`${granted}/**`] });
    expect(within).toEqual({ "read a file": { got: "content" } });
  });

  it("[attack-store-file] reaches no data of the runtime, even where its lease names the directory above", async () => {
    const directory = await temporaryDirectory();
    const data = join(directory, "data");
    const runtime = await startRuntime(ALL, data);
    const store = join(data, "leasehold.db");
    expect((await readFile(store)).length).toBeGreaterThan(0);
    await writeFile(join(directory, "beside"), "content");
    const lease = { "fs.read": [`${directory}/**`], "fs.write": [`${directory}/**`] };
    expect(successes(await tryAll(runtime, named(/file|link|database/), store, lease))).toEqual([]);
    const beside = await tryAll(runtime, ["read a file"], join(directory, "beside"), lease);
    expect(beside).toEqual({ "read a file": { got: "content" } });
  });

  it("[attack-named-data] reaches no data of the runtime by naming it, or by a link to what holds it", async () => {
    const directory = await temporaryDirectory();
    const data = join(directory, "data");
    const module = join(directory, "agent.js");
    await mkdir(join(directory, "node_modules"));
    await symlink("..", join(directory, "node_modules", "itself"));
    await writeFile(join(directory, "package.json"), '{"type":"module"}');
    await writeFile(join(directory, "beside.txt"), "beside");
    await writeFile(
      module,
      `import { defineAgent } from "leasehold"; import { readFileSync } from "node:fs";
       const read = (url) => { try { return readFileSync(url, "latin1").slice(0, 6); } catch ({ code }) { return code; } };
       export const agent = defineAgent({ name: "reading", version: "1.0.0", run: () => [
         read(new URL("./data/leasehold.db", import.meta.url)), read(new URL("./beside.txt", import.meta.url)),
       ] });`,
    );
    const { submit } = await startRuntime([defineIsolatedAgent({ name: "reading", version: "1.0.0", module })], data);
    expect(await (await submit("reading")).result()).toEqual(["ERR_ACCESS_DENIED", "beside"]);
  });

  it("[attack-environment-theft] has an empty environment, and no way to the runtime's", async () => {
    const runtime = await startRuntime(ALL);
    // Not even under a lease of everything.
    const lease = { "fs.read": ["/**"] };
    expect(successes(await tryAll(runtime, named(/runtime's/), "", lease))).toEqual([]);
    expect(successes(await tryAll(runtime, ["read a file"], "/proc/self/environ", lease))).toEqual([]);
  });

  it("[attack-fork-bomb] [attack-unstarted-process] starts no process, no thread, no other program, no addon", async () => {
    const runtime = await startRuntime(ALL);
    const names = named(/process$|never started|spawn|fork|thread|program|addon|WASI|binding/);
    const lease = { "fs.read": ["/**"], "fs.write": ["/**"] };
    expect(successes(await tryAll(runtime, names, "", lease))).toEqual([]);
  });

  it("[attack-raw-signals] sends no signal, opens no debugger, and touches no other process", async () => {
    const runtime = await startRuntime(ALL);
    expect(successes(await tryAll(runtime, named(/signal|debug|inspector|slow|user|engine/), ""))).toEqual([]);
  });

  it.each(["heap", "buffers"])("[attack-memory-bomb] is killed when it takes too much memory: %s", async (where) => {
    const { submit } = await startRuntime(ALL);
    expect(await failureOf(await submit("greedy", where))).toMatchObject({
      code: "INTERNAL_ERROR",
      details: { limit: "memoryMb", memory_mb: 192 },
    });
  });

  it("[attack-emit-after-end] records nothing once its job has ended", async () => {
    const { submit, countEntries } = await startRuntime(ALL);
    const job = await submit("deaf");
    await firstOf(job, "log");
    await job.cancel();
    const count = await countEntries(job.id);
    expect(await failureOf(job)).toMatchObject({ code: "CANCELLED" });
    // A job that starts and ends meanwhile takes its time.
    await (await submit("escaping", [[], ""])).result();
    expect(await countEntries(job.id)).toBe(count);
  });

  it("ends with its pipe", async () => {
    const { submit } = await startRuntime(ALL);
    const job = await submit("hanging");
    const pid = Number((await firstOf(job, "log")).body.message);
    expect(await failureOf(job)).toMatchObject({ code: "INTERNAL_ERROR" });
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), 10_000);
  });

  it("[attack-raw-network] has no network where its lease grants nothing to use it for", async () => {
    const runtime = await startRuntime(ALL);
    const names = named(/TCP|UDP|look up/);
    expect(successes(await tryAll(runtime, names, "", { "fs.read": ["/**"] }))).toEqual([]);
  });

  it("can still reach all of the network where its lease grants some of it", async () => {
    const server = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { submit } = await startRuntime(ALL);
    const { port } = server.address() as { port: number };
    const lease = { "net.fetch": ["https://example.com/**"] };
    expect(await (await submit("networking", port, { lease })).result()).toBe("connected");
  });
});

const call = (method: string, ...args: unknown[]): string => JSON.stringify({ type: "call", id: 9, method, args });
const append = (kind: string, body: unknown, name = kind): string =>
  JSON.stringify({ type: "append", kind, name, body });
const FORGED: readonly (readonly [what: string, line: string])[] = [
  ["garbage", "}{"],
  ["a line without end", "LONG"],
  ["nesting without end", "[".repeat(100_000)],
  ["bytes that are no text", "null"],
  ["a counter it makes up", append("metric", { name: "cost.budget.remaining", value: 1_000_000, unit: "USD" })],
  [
    "a reported counter",
    JSON.stringify({ type: "report", metric: { name: "cost.budget.remaining", value: 9, unit: "USD" } }),
  ],
  ["a negative cost", JSON.stringify({ type: "report", metric: { name: "cost.x", value: -5, unit: "USD" } })],
  ["a delegation", append("delegate", { delegate_id: "d", child_job_id: "job_1", agent: "escaping@1.0.0", lease: {} })],
  ["a terminal", append("result", { final_status: "success" })],
  ["a kind of its own without a vendor", append("vendor", {}, "job.result")],
  ["another's call", append("tool_result", { call_id: "call_01M7ZBN8X371BKFDKZF5TZEVKR", result: 1 })],
  [
    "a chunk of nothing",
    append("result_chunk", {
      result_id: "res_01M7ZBN8X371BKFDKZF5TZEVKR",
      chunk_seq: 7,
      data: "",
      encoding: "utf8",
      more: false,
    }),
  ],
  ["a call of what there is not", call("constructor")],
  ["a call of a host's own", call("signal")],
  ["a child that it has not", call("cancelChild", "job_01M7ZBN8X371BKFDKZF5TZEVKR", "x")],
  ["a step that is no text", call("recordStep", { toString: 1 }, 5)],
  ["a step of too long a name", call("recordStep", "n".repeat(257), null)],
  ["a type that is no text", JSON.stringify({ type: { toString: 1 } })],
  ["an unknown type", JSON.stringify({ type: "start" })],
];

describe("a forged message", () => {
  it.each(FORGED)("[attack-forged-pipe] of %s ends the job", async (_what, line) => {
    const { submit } = await startRuntime(ALL);
    const job = await submit("forging", [line], { lease: { "agent.delegate": ["*"] }, budget: { USD: "1" } });
    expect(await failureOf(job)).toMatchObject({ code: expect.stringMatching(/^(INTERNAL_ERROR|INVALID_REQUEST)$/) });
    expect((await eventsOf(job)).map(({ kind }) => kind)).toEqual(["log"]);
    expect(job.budget).toEqual({ USD: 1 });
  });
});
