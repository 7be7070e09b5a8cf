/** Jobs and tokens over several processes: one serves, others submit, watch, list and cancel, as whom their tokens say. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Command, createPlace, type Ended, jsonLines, type Place, type Server } from "./test-place.ts";

let place: Place;
let server: Server;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place[Symbol.asyncDispose]());

interface Caller {
  readonly token: string;
  start(...args: readonly string[]): Command;
  run(...args: readonly string[]): Promise<Ended>;
  /** Submits a job that waits until there is a file of that name; returns the job's id. */
  submitWaiting(until: string, ...args: readonly string[]): Promise<string>;
}

async function createCaller(name: string, ...args: readonly string[]): Promise<Caller> {
  const token = (await place.run(["token", "create", name, ...args])).stdout.trim();
  const caller: Caller = {
    token,
    start: (...command) => place.start(command, { env: { LEASEHOLD_URL: server.url, LEASEHOLD_TOKEN: token } }),
    run: (...command) => caller.start(...command).ended(),
    async submitWaiting(until, ...options) {
      const input = JSON.stringify({ until: place.path(until) });
      const { code, stdout } = await caller.run("submit", "waiting", input, "--detach", ...options);
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^job_\w+\n$/) });
      return stdout.trim();
    },
  };
  return caller;
}

async function listJobs(caller: Caller): Promise<readonly unknown[]> {
  const { code, stdout, stderr } = await caller.run("jobs", "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return jsonLines(stdout).map(({ job_id }) => job_id);
}

describe("a job", () => {
  it("is submitted by one process and watched, listed and cancelled by others [reading-cancel-repeated]", async () => {
    server = await place.serve("serve");
    const ada = await createCaller("ada");
    const done = await ada.submitWaiting("done");
    const stopped = await ada.submitWaiting("never");
    expect(await listJobs(ada)).toEqual([stopped, done]);

    const watching = ada.run("watch", done, "--result-only");
    await place.write("done", "");
    expect(await watching).toEqual({ code: 0, stdout: '{\n  "attempt": 1\n}\n', stderr: "" });

    const cancelled = await ada.run("cancel", stopped, "--reason", "enough", "--json");
    expect(jsonLines(cancelled.stdout)).toEqual([{ job_id: stopped, cancelled: true }]);
    expect((await ada.run("watch", stopped)).code).toBe(3);
    const again = await ada.run("cancel", stopped, "--json");
    expect(jsonLines(again.stdout)).toEqual([{ job_id: stopped, cancelled: false, final_status: "cancelled" }]);
    expect((await ada.run("jobs", "--status", "cancelled", "--json")).stdout).toContain(stopped);
  });

  it("that is cancelled, or runs too long, ends the command that follows it with 3 and 4", async () => {
    server = await place.serve("serve");
    const ada = await createCaller("ada");
    const following = ada.start("submit", "waiting", '{"until":"never"}');
    const job = await following.until("the job's id", (stdout) => /job_\w+/.exec(stdout)?.[0]);
    expect((await ada.run("cancel", job)).code).toBe(0);
    const cancelled = await following.ended();
    expect(cancelled.code).toBe(3);
    expect(cancelled.stdout).toMatch(/^cancelled waiting@1\.0\.0 job_\w+$/m);
    expect((await ada.run("submit", "waiting", '{"until":"never"}', "--max-runtime", "1")).code).toBe(4);
  });

  it("is the same for the same key, at once and after a crash, and not for another principal [reading-idempotency-scope]", async () => {
    server = await place.serve("serve");
    const ada = await createCaller("ada");
    const bob = await createCaller("bob");
    const submit = () => ada.submitWaiting("never", "--key", "nightly");
    const [first, ...others] = await Promise.all([submit(), submit(), submit()]);
    expect(others).toEqual([first, first]);
    server.child.kill("SIGKILL");
    await server.ended();
    server = await place.serve("serve");
    expect(await submit()).toBe(first);
    expect(await bob.submitWaiting("never", "--key", "nightly")).not.toBe(first);
    const conflict = await ada.run("submit", "echo", "1", "--key", "nightly", "--json");
    expect(conflict.code).toBe(1);
    expect(jsonLines(conflict.stderr)[0]).toMatchObject({ error: { code: "DUPLICATE_KEY" } });
  });

  it("whose agent throws out of a timer ends alone", async () => {
    server = await place.serve("serve");
    const ada = await createCaller("ada");
    const neighbour = await ada.submitWaiting("done");
    const thrown = await ada.run("submit", "stray");
    expect(thrown.code).toBe(2);
    expect(thrown.stderr).toMatch(/^leasehold: job job_\w+ ended as error \(INTERNAL_ERROR\): thrown by a timer/);
    await place.write("done", "");
    expect((await ada.run("watch", neighbour)).code).toBe(0);
    expect(server.child.exitCode).toBeNull();
  });

  it("takes JSON alone, and is refused with one line", async () => {
    server = await place.serve("serve");
    const ada = await createCaller("ada");
    const broken = await ada.run("submit", "echo", '{"a":');
    expect(broken).toMatchObject({ code: 1, stdout: "" });
    expect(broken.stderr).toMatch(/^leasehold: the input is not JSON .*\n$/);
    const unknown = await ada.run("submit", "echo@9.9.9", "1");
    expect(unknown).toMatchObject({ code: 5, stdout: "" });
    expect(unknown.stderr).toMatch(/^leasehold: .*9\.9\.9.*\n$/);
    expect(await listJobs(ada)).toEqual([]);
  });
});

describe("principals", () => {
  it("see nothing of each other's jobs, not even that there are any [law-principals-apart][arcp-6.6-scope][arcp-6.6-no-leak][reading-foreign-job]", async () => {
    server = await place.serve("serve");
    const ada = await createCaller("ada");
    const bob = await createCaller("bob");
    const job = await ada.submitWaiting("done");
    expect(await listJobs(bob)).toEqual([]);
    const nowhere = `${job.slice(0, -4)}0000`;
    for (const command of ["watch", "cancel"]) {
      const foreign = await bob.run(command, job);
      const unknown = await bob.run(command, nowhere);
      expect(foreign).toMatchObject({ code: 5, stdout: "" });
      expect(foreign).toEqual({ ...unknown, stderr: unknown.stderr.replaceAll(nowhere, job) });
    }
    await place.write("done", "");
    expect((await ada.run("watch", job)).code).toBe(0);
    expect(await listJobs(bob)).toEqual([]);
  });

  it("are who their token stands for: two tokens of one principal share its jobs", async () => {
    server = await place.serve("serve");
    const laptop = await createCaller("ada-laptop", "--principal", "ada");
    const desktop = await createCaller("ada-desktop", "--principal", "ada");
    const job = await laptop.submitWaiting("never");
    expect(await listJobs(desktop)).toEqual([job]);
    expect((await desktop.run("cancel", job)).code).toBe(0);
    expect((await laptop.run("watch", job)).code).toBe(3);
  });
});

describe("tokens", () => {
  it("are made, shown once, and revoked while the runtime serves", async () => {
    server = await place.serve("serve");
    const ada = await createCaller("ada");
    const bob = await createCaller("bob");
    expect((await ada.run("submit", "echo", "1")).code).toBe(0);

    const listed = await place.run(["token", "list", "--json"]);
    expect(jsonLines(listed.stdout).map(({ name }) => name)).toEqual(["ada", "bob"]);
    expect(listed.stdout).not.toContain(ada.token);
    expect((await place.run(["token", "create", "ada"])).code).toBe(1);

    expect((await place.run(["token", "revoke", "ada"])).code).toBe(0);
    const refused = await ada.run("submit", "echo", "1", "--json");
    expect(refused).toMatchObject({ code: 6, stdout: "" });
    expect(jsonLines(refused.stderr)[0]).toMatchObject({ error: { code: "UNAUTHENTICATED" } });
    expect((await bob.run("submit", "echo", "1")).code).toBe(0);
    expect((await place.run(["token", "revoke", "ada"])).code).toBe(5);
  });

  it("are never printed by the runtime, and not kept in its files", async () => {
    server = await place.serve("serve");
    const ada = await createCaller("ada");
    expect((await ada.run("submit", "echo", "1")).code).toBe(0);
    server.child.kill("SIGTERM");
    const { stdout, stderr } = await server.ended();
    expect(stdout + stderr).not.toContain(ada.token);
    const files = await place.spawn("grep", ["-rlF", ada.token, place.directory]).ended();
    expect(files).toMatchObject({ code: 1, stdout: "" });
  });
});
