/** `leasehold conformance` as somebody types it, against a runtime in another process and against one of its own. */
import { readFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createPlace, jsonLines, type Place } from "./test-place.ts";

let place: Place;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place[Symbol.asyncDispose]());

async function createToken(name: string): Promise<string> {
  return (await place.run(["token", "create", name])).stdout.trim();
}

/** A runtime with the suite's agents, in a process of its own. */
async function serve(): Promise<string> {
  const server = place.start(["serve", "--conformance-agents", "--json", "--port", "0"]);
  const ready = await server.until("the line that says where it serves", (stdout) => jsonLines(stdout)[0]);
  expect(ready.agents).toContain("tck-echo@1.0.0");
  return String(ready.url);
}

/** What waits for seconds on end is shown under the fake clock, by `conformance/suite/`. */
const QUICK = ["4", "6.1", "6.2", "6.6", "7.2", "7.4", "7.6", "8"].flatMap((section) => ["--only", section]);

describe("leasehold conformance", () => {
  it("finds nothing broken in a runtime of ours in another process, in all three forms", async () => {
    const [token, second] = [await createToken("first"), await createToken("second")];
    const url = await serve();
    const env = { LEASEHOLD_TOKEN: token, LEASEHOLD_SECOND_TOKEN: second };
    const { code, stdout, stderr } = await place.run(
      ["conformance", url, "--json", "--junit", "report.xml", ...QUICK],
      { env },
    );
    const lines = jsonLines(stdout);
    expect(lines.filter(({ type, outcome }) => type === "case" && outcome !== "passed")).toEqual([]);
    const counts = { passed: lines.length - 1, broken: 0, untested: 0 };
    expect(lines.at(-1)).toMatchObject({ type: "report", url, runtime: expect.stringMatching(/^leasehold /), counts });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const xml = await readFile(place.path("report.xml"), "utf8");
    expect(xml.match(/<testcase /g)).toHaveLength(lines.length - 1);
    expect(stdout + xml).not.toContain(token);
  });

  it("starts a runtime of its own when no URL is given, and leaves nothing behind", async () => {
    const { code, stdout, stderr } = await place.run(["conformance", "--only", "6.3", "--only", "14", "--all"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^§6\.3 {2}\d+ passed$/m);
    expect(stdout).toMatch(/passed {2,}MUST {2,}every welcome carries a new resume token arcp-6\.3-token-rotates/);
    expect(stdout).toMatch(/\d+ passed in [\d.]+ s: no MUST is broken\n$/);
  });

  it("ends with 1 when a MUST is broken, and says which", async () => {
    const token = await createToken("first");
    // An agent in the role of one that fails, and does not.
    const args = ["--token", token, "--agent", "fail=tck-echo", "--only", "7.3"];
    const { code, stdout, stderr } = await place.run(["conformance", await serve(), ...args]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    expect(stdout).toMatch(/BROKEN {2,}MUST {2,}a job that fails ends with a job\.error .* arcp-7\.3-terminal-states/);
    expect(stdout).toMatch(/1 broken in [\d.]+ s: a MUST is broken\n$/);
  });

  it("never counts as passed what the target does not offer", async () => {
    const token = await createToken("first");
    const url = await serve();
    const agents = ["--agent", "slow=no-such-agent", "--only", "7.4", "--only", "arcp-6.6-scope"];
    const { code, stdout } = await place.run(["conformance", url, "--token", token, "--json", ...agents]);
    const cases = jsonLines(stdout).filter(({ type }) => type === "case");
    const untested = cases.filter(({ outcome }) => outcome === "untested").map(({ because }) => because);
    expect(new Set(untested)).toEqual(new Set(["there is no agent no-such-agent (for the role slow)"]));
    expect(cases.length - untested.length).toBeLessThan(cases.length);
    expect(code).toBe(0);
  });

  it.each([
    [["ws://127.0.0.1:1/arcp", "--token", "t"], 7, /nothing answers/],
    [["--only", "99"], 1, /--only matches no case/],
    [["--agent", "echo"], 1, /--agent must be role=name/],
    [["--agent", "king=lear"], 1, /roles are echo, logs, slow/],
  ])("%j ends with %i", async (args, expected, message) => {
    const { code, stdout, stderr } = await place.run(["conformance", ...args]);
    expect({ code, stdout }).toEqual({ code: expected, stdout: "" });
    expect(stderr).toMatch(message);
  });

  it("says so when the token is refused", async () => {
    const { code, stderr } = await place.run(["conformance", await serve(), "--token", "wrong"]);
    expect(code).toBe(6);
    expect(stderr).toMatch(/refuses the token: check --token/);
    expect(stderr).not.toContain("wrong");
  });
});
