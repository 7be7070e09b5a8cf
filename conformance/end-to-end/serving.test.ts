/** `leasehold dev` and `leasehold serve` as processes: how they begin, how they end, and what they refuse to begin with. */
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AGENTS, createPlace, jsonLines, LEASEHOLD, type Place, stopsTakingWork } from "./test-place.ts";

let place: Place;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place[Symbol.asyncDispose]());

const DEV_FILE = ".leasehold/dev.json";

async function submitDetached(agent: string, input: object, env: Readonly<Record<string, string>> = {}) {
  const { stdout, stderr } = await place.run(["submit", agent, JSON.stringify(input), "--detach", "--json"], { env });
  expect(stderr).toBe("");
  return String(jsonLines(stdout)[0]?.job_id);
}

describe("dev --run --exit", () => {
  it("ends with 0 after a job that succeeded, and leaves nothing that names it", async () => {
    const { code, stdout, stderr } = await place.run(
      ["dev", AGENTS, "--port", "0", "--run", "echo", "--input", "-", "--exit"],
      { input: '{"from":"stdin"}' },
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/ws:\/\/127\.0\.0\.1:\d+\/arcp/);
    expect(stdout).toContain('"from": "stdin"');
    expect(existsSync(place.path(DEV_FILE))).toBe(false);
  });

  it("ends with 2 after a job that failed, and with 5 when there is no such agent", async () => {
    const failed = await place.run(["dev", AGENTS, "--port", "0", "--run", "failing", "--exit"]);
    expect(failed.code).toBe(2);
    expect(failed.stderr).toMatch(
      /^leasehold: job job_\w+ ended as error \(PERMISSION_DENIED\): this agent always fails\n$/,
    );
    const unknown = await place.run(["dev", AGENTS, "--port", "0", "--run", "nobody", "--exit"]);
    expect(unknown.code).toBe(5);
    expect(unknown.stderr).toMatch(/^leasehold: no agent nobody; agents here: .*echo.*\n$/);
    expect(existsSync(place.path(DEV_FILE))).toBe(false);
  });

  it("ends with 130 when Ctrl-C comes before the job's end", async () => {
    const args = ["dev", AGENTS, "--port", "0", "--run", "waiting", "--input", '{"until":"never"}', "--exit"];
    const dev = place.start(args);
    await dev.until("the job's first event", (stdout) => /^.*waiting$/m.exec(stdout)?.[0]);
    dev.child.kill("SIGINT");
    const { code, stderr } = await dev.ended();
    expect({ code, stderr }).toEqual({ code: 130, stderr: expect.stringMatching(/^leasehold: stopped \(SIGINT\)/m) });
  });
});

describe("a stop", () => {
  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("by %s ends dev with 0 and removes dev.json", async (signal) => {
    const dev = await place.serve("dev");
    expect(statSync(place.path(DEV_FILE)).mode & 0o777).toBe(0o600);
    dev.child.kill(signal);
    expect(await dev.ended()).toMatchObject({ code: 0, stderr: "" });
    expect(existsSync(place.path(DEV_FILE))).toBe(false);
  });

  it("lets the jobs of serve end first, while nobody new is let in", async () => {
    const token = (await place.run(["token", "create", "ci"])).stdout.trim();
    const first = await place.serve("serve");
    const env = { LEASEHOLD_URL: first.url, LEASEHOLD_TOKEN: token };
    const job = await submitDetached("waiting", { until: place.path("done") }, env);
    first.child.kill("SIGTERM");
    await stopsTakingWork(first.url);
    expect((await place.run(["submit", "echo", "1"], { env })).code).toBe(7);
    expect(first.child.exitCode).toBeNull();
    await place.write("done", "");
    expect((await first.ended()).code).toBe(0);

    const second = await place.serve("serve");
    const watched = await place.run(["watch", job, "--json"], { env: { ...env, LEASEHOLD_URL: second.url } });
    expect(watched.code).toBe(0);
    expect(jsonLines(watched.stdout).at(-1)).toMatchObject({ final_status: "success", result: { attempt: 1 } });
  });

  it("leaves a job that does not end in time to the next start", async () => {
    const token = (await place.run(["token", "create", "ci"])).stdout.trim();
    const first = await place.serve("serve", ["--drain", "0"]);
    const job = await submitDetached(
      "waiting",
      { until: "never" },
      { LEASEHOLD_URL: first.url, LEASEHOLD_TOKEN: token },
    );
    first.child.kill("SIGTERM");
    expect((await first.ended()).code).toBe(0);
    const second = await place.serve("serve");
    const watched = await place.run(["watch", job, "--json"], {
      env: { LEASEHOLD_URL: second.url, LEASEHOLD_TOKEN: token },
    });
    expect(watched.code).toBe(2);
    expect(jsonLines(watched.stdout).at(-1)).toMatchObject({ error: { code: "INTERNAL_ERROR", retryable: true } });
  });

  it("is at once at the second signal", async () => {
    const token = (await place.run(["token", "create", "ci"])).stdout.trim();
    const serve = await place.serve("serve", ["--drain", "1h"]);
    const env = { LEASEHOLD_URL: serve.url, LEASEHOLD_TOKEN: token };
    await submitDetached("waiting", { until: "never" }, env);
    serve.child.kill("SIGTERM");
    await stopsTakingWork(serve.url);
    serve.child.kill("SIGTERM");
    expect((await serve.ended()).code).toBe(143);
  });
});

describe("what is printed", () => {
  it("begins with --json by the line that says where serve listens", async () => {
    const serve = await place.serve("serve");
    expect(jsonLines(serve.stdout())).toEqual([
      {
        type: "ready",
        url: expect.stringMatching(/^ws:\/\/127\.0\.0\.1:\d+\/arcp$/),
        pid: serve.pid,
        agents: expect.arrayContaining(["echo@1.0.0", "restarting@1.0.0"]),
      },
    ]);
    serve.child.kill("SIGTERM");
    const types = jsonLines((await serve.ended()).stderr).map(({ type }) => type);
    expect(new Set(types)).toEqual(new Set(["log"]));
  });

  it("has a reader that may leave: dev keeps serving", async () => {
    const dev = await place.serve("dev", [
      "--run",
      "restarting",
      "--input",
      JSON.stringify({ marks: place.path("marks") }),
    ]);
    await dev.until("the job to talk", (stdout) => jsonLines(stdout).find(({ type }) => type === "event"));
    dev.child.stdout?.destroy();
    const [job] = jsonLines((await place.run(["jobs", "--json"])).stdout);
    expect(job).toMatchObject({ status: "running", agent: "restarting@1.0.0" });
    expect((await place.run(["submit", "echo", "1"])).code).toBe(0);
    dev.child.kill("SIGINT");
    expect((await dev.ended()).code).toBe(0);
  });

  it("has a reader that may leave: submit stops following, and the job goes on", async () => {
    await place.serve("dev");
    const input = JSON.stringify({ marks: place.path("marks") });
    const piped = `{ "$@"; echo "code $?" >&2; } | head -1`;
    const shell = place.spawn("sh", ["-c", piped, "sh", ...LEASEHOLD, "submit", "restarting", input]);
    const { stdout, stderr } = await shell.ended();
    expect(stdout).toMatch(/^restarting@1\.0\.0 job_\w+\n$/);
    expect(stderr).toMatch(/^leasehold: stopped following job_\w+, which goes on: .*\ncode 130\n$/);
    const [job] = jsonLines((await place.run(["jobs", "--json"])).stdout);
    expect(job).toMatchObject({ status: "running" });
  });

  // Linux has a device that is always full.
  if (existsSync("/dev/full")) {
    it("that cannot be written is an error, told in one line", async () => {
      const shell = place.spawn("sh", ["-c", `"$@" > /dev/full`, "sh", ...LEASEHOLD, "version"]);
      const { code, stderr } = await shell.ended();
      expect(code).toBe(1);
      expect(stderr).toMatch(/^leasehold: standard output cannot be written: .*\n$/);
    });
  }

  it("has a reader that may leave: a command that is done anyway ends with 0", async () => {
    const shell = place.spawn("sh", ["-c", `{ "$@"; echo "code $?" >&2; } | true`, "sh", ...LEASEHOLD, "--help"]);
    expect((await shell.ended()).stderr).toBe("code 0\n");
  });
});

describe("a start is refused", () => {
  it("in a data directory that another process has, by that process's id", async () => {
    const first = await place.serve("dev");
    const second = await place.run(["serve", AGENTS, "--port", "0", "--json"]);
    expect(second).toMatchObject({ code: 1, stdout: "" });
    expect(jsonLines(second.stderr).at(-1)).toEqual({
      error: { code: expect.any(String), message: expect.stringContaining(`in use by process ${first.pid}`) },
    });
    const third = await place.run(["dev", AGENTS, "--port", "0"]);
    expect(third.code).toBe(1);
    // Nor does the one that failed take the other's dev.json along.
    expect((await place.run(["submit", "echo", "1"])).code).toBe(0);
  });

  it("on a port that is taken", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const { port } = server.address() as { port: number };
      const { code, stdout, stderr } = await place.run(["dev", AGENTS, "--port", String(port)]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toBe(
        `leasehold: port ${port} is taken: stop what listens there, or choose another with --port (0 takes any free one)\n`,
      );
    } finally {
      server.close();
    }
    expect((await place.serve("dev")).url).toMatch(/^ws:/);
  });

  it.each([
    ["fails when it is imported", 'throw new Error("no database here");', "failed to load: no database here"],
    ["is no JavaScript", "export const = 3;\n", "failed to load: "],
    ["needs types that Node cannot strip", "export enum Color { Red }\n", "failed to load: "],
    ["exports no agent", "export const answer = 42;\n", "exports no agent"],
    ["rejects when it is imported", 'await Promise.reject(new Error("too early"));', "failed to load: too early"],
    ["imports what is not there", 'import "./missing.ts";', "failed to load: Cannot find module"],
  ])("by a file that %s", async (_what, text, message) => {
    const file = await place.write("broken.ts", text);
    const { code, stdout, stderr } = await place.run(["dev", file, "--port", "0"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^leasehold: .*broken\.ts.*\n$/);
    expect(existsSync(place.path(DEV_FILE))).toBe(false);
  });

  it("by input for --run that is not JSON, before anything is started", async () => {
    const { code, stderr } = await place.run(["dev", AGENTS, "--port", "0", "--run", "echo", "--input", "{"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^leasehold: the input is not JSON \(from the argument\): .*\n$/);
    expect(existsSync(place.path(".leasehold"))).toBe(false);
  });
});
