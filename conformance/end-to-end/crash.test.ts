/** `kill -9` of a runtime in the middle of a job that talks, while another process follows the job. */
import { readFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Command, createPlace, type Ended, jsonLines, type Place, type Server } from "./test-place.ts";

let place: Place;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place[Symbol.asyncDispose]());

/** So many lines have gone by when the runtime dies. */
const LINES_BEFORE_DEATH = 200;

interface Crash {
  readonly ended: Ended;
  readonly lines: readonly Record<string, unknown>[];
  readonly events: readonly Record<string, unknown>[];
  /** What another process reads of the same job afterwards. */
  readonly read: Ended;
}

async function kill({ child, ended }: Server): Promise<void> {
  child.kill("SIGKILL");
  await ended();
}

/** Follows a job of `agent` across the death of its runtime and the start of the next, on the same port and data. */
async function crash(agent: string): Promise<Crash> {
  const token = (await place.run(["token", "create", "ada"])).stdout.trim();
  const first = await place.serve("serve");
  const env = { LEASEHOLD_URL: first.url, LEASEHOLD_TOKEN: token };
  const input = JSON.stringify({ marks: place.path("marks") });
  const follower: Command = place.start(["submit", agent, input, "--json"], { env });
  await follower.until("the job to talk", (stdout) =>
    stdout.split("\n").length > LINES_BEFORE_DEATH ? true : undefined,
  );
  await kill(first);
  await place.serve("serve", ["--port", new URL(first.url).port]);
  const ended = await follower.ended();
  const lines = jsonLines(ended.stdout);
  const read = await place.run(["watch", String(lines[0]?.job_id), "--json"], { env });
  return { ended, lines, events: lines.filter(({ type }) => type === "event"), read };
}

function places(events: Crash["events"]): readonly unknown[] {
  return events.map(({ job_seq }) => job_seq);
}

describe("kill -9 of the runtime", () => {
  it("is survived by a job that may run again: its follower prints every event once, and its steps are not run again [law-no-event-lost][law-no-gap-or-repeat][law-one-terminal][arcp-7.7-command-lines-resume]", async () => {
    const { ended, lines, events, read } = await crash("restarting");
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: "" });
    expect(places(events)).toEqual(events.map((_, index) => index + 1));
    expect(lines.filter(({ type }) => type === "result")).toEqual([lines.at(-1)]);
    expect(lines.at(-1)).toMatchObject({ final_status: "success", result: { begun: 1, ended: 2 } });
    expect(await readFile(place.path("marks"), "utf8")).toBe("begun by attempt 1\n");

    const messages = events.map(({ body }) => (body as { message?: string }).message);
    expect(events.findIndex(({ body }) => (body as { phase?: string }).phase === "restarted")).toBeGreaterThanOrEqual(
      LINES_BEFORE_DEATH - 1,
    );
    expect(messages.at(-1)).toBe("line 100 of attempt 2");
    // Whoever reads the job afterwards reads the very same.
    expect(read.code).toBe(0);
    expect(jsonLines(read.stdout).filter(({ type }) => type === "event")).toEqual(events);
  });

  it("ends a job that may not run again with one error that says so, and tells its follower [law-one-terminal]", async () => {
    const { ended, lines, events, read } = await crash("fragile");
    expect(ended.code).toBe(2);
    expect(places(events)).toEqual(events.map((_, index) => index + 1));
    expect(lines.filter(({ type }) => type === "error")).toEqual([lines.at(-1)]);
    expect(lines.at(-1)).toMatchObject({ final_status: "error", error: { code: "INTERNAL_ERROR", retryable: true } });
    expect(await readFile(place.path("marks"), "utf8")).toBe("begun by attempt 1\n");
    expect(read).toMatchObject({ code: 2, stdout: ended.stdout });
  });

  it("leaves a dev.json that the next command sees through", async () => {
    await kill(await place.serve("dev"));
    const { code, stderr } = await place.run(["submit", "echo", "1"]);
    expect(code).toBe(7);
    expect(stderr).toMatch(/^leasehold: the runtime of \.leasehold\/dev\.json is gone \(pid \d+\): .*\n$/);
    await place.serve("dev");
    expect((await place.run(["submit", "echo", "1"])).code).toBe(0);
  });
});
