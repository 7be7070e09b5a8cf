/**
 * A disk that is really full, under a runtime with a job. The disk is one in memory, which Linux lets root mount; where
 * that is not to be had, this is left out, and `src/kernel/job/store-failures.test.ts` shows the same over a faulty store.
 */
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { connect } from "leasehold/client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createPlace, jsonLines, type Place } from "./test-place.ts";

const DISK_BYTES = 16 * 1_048_576;
const BLOCK = Buffer.alloc(65_536);
/** The smallest that a file in memory grows by. */
const PAGE = Buffer.alloc(4_096);

let place: Place;
let disk: string;
beforeEach(async () => {
  place = await createPlace();
  disk = place.path("disk");
  mkdirSync(disk);
});
afterEach(async () => {
  // The runtime first: what it has open cannot be unmounted.
  await place.kill();
  spawnSync("umount", [disk]);
  await place[Symbol.asyncDispose]();
});

function mount(): boolean {
  const options = ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "leasehold-test", disk];
  return process.platform === "linux" && process.getuid?.() === 0 && spawnSync("mount", options).status === 0;
}

/** Writes a file until there is no room left, not even for the smallest piece. Returns what makes room again. */
function fillDisk(): () => void {
  const file = join(disk, "ballast");
  const descriptor = openSync(file, "w");
  for (const piece of [BLOCK, PAGE]) {
    try {
      for (;;) writeSync(descriptor, piece);
    } catch (error) {
      expect(error).toMatchObject({ code: "ENOSPC" });
    }
  }
  closeSync(descriptor);
  return () => rmSync(file);
}

describe("a full disk", () => {
  it("refuses submissions and serves reads, and jobs end once there is room again [law-full-disk]", async (context) => {
    if (!mount()) return context.skip("no disk can be mounted here: that takes Linux, and root");
    const data = join(disk, "data");
    const token = (await place.run(["token", "create", "ada", "--data", data])).stdout.trim();
    const server = await place.serve("serve", ["--data", data]);
    const env = { LEASEHOLD_URL: server.url, LEASEHOLD_TOKEN: token };
    await using session = await connect(server.url, { token });
    const before = await session.submit("echo", { done: "before" });
    await before.result();
    const late = await session.submit("waiting", { until: place.path("done") });

    const makeRoom = fillDisk();
    const refusal = { code: "INTERNAL_ERROR", retryable: true };
    const large = { text: "x".repeat(20_000) };
    await expect(session.submit("echo", large)).rejects.toMatchObject(refusal);
    expect(await place.run(["submit", "echo", "1", "--json"], { env })).toMatchObject({ code: 1, stdout: "" });
    const said = server.stderr().length;
    await place.write("done", "");
    // The job is done, and that cannot be stored.
    await expect.poll(() => server.stderr().slice(said), { timeout: 30_000 }).toContain("a commit failed");
    expect((await session.jobs().page()).jobs.map(({ id }) => id)).toEqual([late.id, before.id]);
    const listed = await place.run(["jobs", "--json"], { env });
    expect(jsonLines(listed.stdout).map(({ job_id }) => job_id)).toEqual([late.id, before.id]);
    expect(await read(server.url, token, `jobs/${before.id}/result`)).toContain('{"done":"before"}');
    expect(await read(server.url, token, `jobs/${before.id}/events`)).toContain('"job_seq":1');
    await expect(session.submit("echo", large)).rejects.toMatchObject(refusal);

    makeRoom();
    await expect(late.result()).rejects.toMatchObject(refusal);
    expect(await (await session.submit("echo", { done: "after" })).result()).toEqual({ done: "after" });
    const jobs = jsonLines((await place.run(["jobs", "--json"], { env })).stdout);
    expect(jobs.map(({ status }) => status)).toEqual(["success", "error", "success"]);
    expect(server.child.exitCode).toBeNull();
  });
});

async function read(url: string, token: string, path: string): Promise<string> {
  const api = new URL(`/api/${path}`, url.replace(/^ws/, "http"));
  const answer = await fetch(api, { headers: { authorization: `Bearer ${token}` } });
  expect(answer.status).toBe(200);
  return answer.text();
}
