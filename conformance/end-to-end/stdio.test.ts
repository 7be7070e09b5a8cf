/** `leasehold serve --stdio` as a child of this process: driven by our client, and by hand, line by line. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter } from "node:path";
import { type ConnectChildOptions, connectChild } from "leasehold";
import type { Session } from "leasehold/client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AGENTS, createPlace, jsonLines, LEASEHOLD, type Place, within } from "./test-place.ts";

let place: Place;
const children: ChildProcess[] = [];
beforeEach(async () => {
  place = await createPlace();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await place[Symbol.asyncDispose]();
});

const [NODE = "", ...MAIN] = LEASEHOLD;

/** A session with a child, and the children it took. */
function open(args: readonly string[] = [], options: ConnectChildOptions = {}): Promise<Session> {
  return connectChild(NODE, [...MAIN, "serve", "--stdio", AGENTS, ...args], {
    cwd: place.directory,
    stderr: "ignore",
    onSpawn: (child) => void children.push(child),
    ...options,
  });
}

function exitOf(child: ChildProcess | undefined): Promise<unknown[]> {
  if (child === undefined) throw new Error("there is no such child");
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve([child.exitCode, child.signalCode]);
  return within(once(child, "exit"), () => `process ${child.pid} to end`);
}

async function idsOf(session: Session): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { id } of session.jobs()) ids.push(id);
  return ids;
}

/** Data directories that children without `--data` have made. */
const ownDirectories = () => readdirSync(tmpdir()).filter((name) => name.startsWith("leasehold-stdio-"));

describe("our client and a child", () => {
  it("submit, follow and cancel, and end together [arcp-4-stdio]", async () => {
    const session = await open(["--data", "data"]);
    expect(await (await session.submit("echo", { text: "größer\n日本語" })).result()).toEqual({
      text: "größer\n日本語",
    });
    const job = await session.submit("restarting", { marks: place.path("marks") });
    for await (const event of job.events()) if (event.kind === "log") break;
    await job.cancel("enough");
    await expect(job.result()).rejects.toMatchObject({ code: "CANCELLED" });
    await session.close();
    expect(await exitOf(children[0])).toEqual([0, null]);
    expect(children).toHaveLength(1);
  });

  it("go on where they were when the child is killed and started again on the same data [arcp-4-stdio]", async () => {
    await using session = await open(["--data", "data"]);
    const job = await session.submit("restarting", { marks: place.path("marks") });
    const seqs: (number | undefined)[] = [];
    for await (const { jobSeq } of job.events()) {
      seqs.push(jobSeq);
      if (seqs.length === 20) children[0]?.kill("SIGKILL");
    }
    expect(seqs).toEqual(seqs.map((_, index) => index + 1));
    expect(await exitOf(children[0])).toEqual([null, "SIGKILL"]);
    expect(children).toHaveLength(2);
    expect(await job.result()).toEqual({ begun: 1, ended: 2 });
  });

  it("have a data directory of their own, which goes with them, unless one is named", async () => {
    const before = ownDirectories();
    const sessions = await Promise.all([open(), open()]);
    const made = ownDirectories().filter((name) => !before.includes(name));
    expect(made).toHaveLength(2);
    await Promise.all(sessions.map((session) => session.close()));
    await Promise.all(children.map(exitOf));
    expect(ownDirectories().filter((name) => made.includes(name))).toEqual([]);
    expect(existsSync(place.path(".leasehold"))).toBe(false);
  });

  it("are the principal `local`; a token, if one is presented, decides instead, and must be valid", async () => {
    const { token } =
      jsonLines((await place.run(["token", "create", "ci", "--data", "data", "--json"])).stdout)[0] ?? {};
    const local = await open(["--data", "data"]);
    await (await local.submit("echo", 1)).result();
    await local.close();
    await exitOf(children[0]);
    const ci = await open(["--data", "data"], { token: String(token) });
    const own = await ci.submit("echo", 2);
    expect(await idsOf(ci)).toEqual([own.id]);
    await ci.close();
    await exitOf(children[1]);
    await expect(open(["--data", "data"], { token: "lh_wrong" })).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  });
});

describe("standard output holds frames and nothing else", () => {
  it("whatever agents print, when they are loaded and when they run", async () => {
    const file = await place.write(
      "loud.ts",
      `import { defineAgent } from ${JSON.stringify(new URL("../../src/index.ts", import.meta.url).href)};
       console.log("loaded");
       export const loud = defineAgent({ name: "loud", version: "1.0.0", async run(ctx) {
         console.log("run"); console.table([1]); process.stdout.write("raw");
         await ctx.log("said"); console.info("more");
         return "quiet";
       } });`,
    );
    const child = place.spawn(NODE, [...MAIN, "serve", "--stdio", file, "--json"], { keepInput: true });
    const say = (frame: object) =>
      child.child.stdin?.write(`${JSON.stringify({ arcp: "1.1", id: "m", ...frame })}\r\n`);
    say({
      type: "session.hello",
      payload: { client: { name: "by-hand", version: "1" }, capabilities: { features: [] } },
    });
    await child.until("a welcome", (stdout) => jsonLines(stdout).find(({ type }) => type === "session.welcome"));
    say({ type: "job.submit", payload: { agent: "loud", input: null } });
    await child.until("the result", (stdout) => jsonLines(stdout).find(({ type }) => type === "job.result"));
    child.child.stdin?.end();
    const { code, stdout, stderr } = await child.ended();
    expect(code).toBe(0);
    expect(jsonLines(stdout).map(({ type }) => String(type).split(".")[0])).not.toContain("undefined");
    for (const text of ["loaded", "run", "raw", "more"]) expect(stderr).toContain(text);
  });

  it("and is not waited for: with nobody reading them, the child goes on taking frames and running jobs", async () => {
    const child = place.start(["serve", "--stdio", AGENTS, "--data", "data"], { keepInput: true });
    child.child.stdout?.pause();
    const frames = [
      { id: "hello", type: "session.hello", payload: { capabilities: { features: [] } } },
      ...Array.from({ length: 60 }, (_, index) => ({
        id: `echo-${index}`,
        type: "job.submit",
        payload: { agent: "echo", input: "x".repeat(100_000) },
      })),
      { id: "last", type: "job.submit", payload: { agent: "restarting", input: { marks: place.path("marks") } } },
    ];
    for (const frame of frames) child.child.stdin?.write(`${JSON.stringify({ arcp: "1.1", ...frame })}\n`);
    await within(
      (async () => {
        while (!existsSync(place.path("marks"))) await new Promise((resolve) => setTimeout(resolve, 10));
      })(),
      () => `the last job to begin: ${child.stderr()}`,
    );
    expect(child.stdout()).toBe("");
    child.child.stdout?.resume();
    await child.until("its answer", (stdout) => (stdout.includes('"request_id":"last"') ? true : undefined));
    child.child.kill("SIGTERM");
    child.child.kill("SIGTERM");
  });

  it("even when it cannot start: that is told on standard error", async () => {
    const ended = await place.run(["serve", "--stdio", place.path("missing.ts")]);
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(ended.stderr).toContain("missing.ts");
  });
});

describe("a child ends", () => {
  it("with its input, though nobody said a word", async () => {
    expect(await place.run(["serve", "--stdio", AGENTS], { input: "" })).toMatchObject({ code: 0, stdout: "" });
  });

  it("on SIGTERM, and leaves a job that does not end in time to the next start", async () => {
    const session = await open(["--data", "data", "--drain", "0s"], { reconnect: { maxAttempts: 0 } });
    const job = await session.submit("restarting", { marks: place.path("marks") });
    for await (const event of job.events()) if (event.kind === "log") break;
    children[0]?.kill("SIGTERM");
    expect(await exitOf(children[0])).toEqual([0, null]);
    const again = await open(["--data", "data"]);
    const taken = await again.subscribe(job.id);
    expect(await taken.result()).toEqual({ begun: 1, ended: 2 });
    await again.close();
  });

  it("after a line that is too long, and says so on standard error", async () => {
    const { code, stdout, stderr } = await place.run(["serve", "--stdio", AGENTS], {
      input: `${"x".repeat(2_000_000)}\n`,
    });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toContain("1048576 bytes");
  });
});

it("the example in `examples/stdio-child/` runs to its result", async () => {
  const leasehold = await place.write(
    "leasehold",
    `#!/bin/sh\nexec ${LEASEHOLD.map((word) => `'${word}'`).join(" ")} "$@"\n`,
  );
  await chmod(leasehold, 0o755);
  const parent = new URL("../../examples/stdio-child/parent.ts", import.meta.url).pathname;
  const env = { PATH: `${place.directory}${delimiter}${process.env.PATH}` };
  const { code, stdout } = await place.spawn(NODE, ["--conditions=leasehold-source", parent], { env }).ended();
  expect(stdout).toMatch(/^child \d+\n1 of 10\n(?:.*\n)*10 of 10\nresult 55\n$/);
  expect(code).toBe(0);
});
