/** The examples that show what a lease does: each program as `npm run example` runs it, in a process of its own. */
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createPlace, type Place } from "../conformance/end-to-end/test-place.ts";

let place: Place;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place[Symbol.asyncDispose]());

/** What the program of an example prints. @param remarks what else may stand on its standard error. */
async function print(name: string, remarks = /^$/): Promise<string> {
  const run = join(import.meta.dirname, "run.ts");
  const { code, stdout, stderr } = await place
    .spawn(process.execPath, ["--conditions=leasehold-source", run, name])
    .ended();
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(remarks) });
  return stdout;
}

const linesOf = (text: string): readonly string[] => text.trimEnd().split("\n");

describe("planner-and-workers", () => {
  it("one worker runs out of money, and what the others left pays for the rest", async () => {
    const printed = await print("planner-and-workers");
    const [first, ...told] = linesOf(printed.split("\n\n")[0] ?? "");
    expect(first).toMatch(/^planner@1\.0\.0 may read .*documents, and spend 0\.750 USD$/);
    expect(told.slice(0, 3)).toEqual([
      "worker 1 may read alpine-huts.txt, bees.txt, and spend 0.250 USD",
      "worker 2 may read canal-locks.txt, lighthouses.txt, and spend 0.250 USD",
      "worker 3 may read paper.txt, tides.txt, and spend 0.250 USD",
    ]);
    const outOfMoney = "0.342 USD cannot be set aside: 0.184 are available";
    expect(told.slice(3).sort()).toEqual([
      "worker 1 is done, and spent 0.135 USD",
      `worker 2 ended with BUDGET_EXHAUSTED (${outOfMoney}), and spent 0.066 USD`,
      "worker 3 is done, and spent 0.142 USD",
      "worker 4 is done, and spent 0.342 USD",
      "worker 4 may read lighthouses.txt, and spend 0.407 USD",
    ]);
    expect(printed).toContain("\n\nlighthouses.txt\n  ");
    expect(linesOf(printed).at(-1)).toBe("left of the budget: 0.065 USD");
  });

  it("runs from the command line, too", async () => {
    const example = join(import.meta.dirname, "planner-and-workers");
    const folder = join(example, "documents");
    const lease = [`fs.read=${folder}/**`, "agent.delegate=worker", "tool.call=digest"];
    const { code, stdout, stderr } = await place.run([
      ...["dev", join(example, "agents.ts"), "--port", "0", "--run", "planner", "--input", JSON.stringify({ folder })],
      ...[...lease.flatMap((pattern) => ["--lease", pattern]), "--budget", "USD:0.75", "--no-tree", "--exit"],
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("1 of the texts are left to do, with 0.407 USD");
    expect(stdout).not.toContain("worker#1");
    expect(stdout).toContain('"undone": []');
  });
});

describe("lease-violation", () => {
  it("is told with each refusal what was asked for, and what there is", async () => {
    const printed = linesOf(await print("lease-violation"));
    const outcomes = printed.filter((line) => /: (allowed|[A-Z_]+)$/.test(line)).map((line) => line.split(": "));
    expect(Object.fromEntries(outcomes)).toEqual({
      "read a file of the folder": "allowed",
      "read what is beside the folder": "PERMISSION_DENIED",
      "list /etc": "PERMISSION_DENIED",
      "write into the folder": "PERMISSION_DENIED",
      "fetch the keys of the machine": "PERMISSION_DENIED",
      "fetch from a host that only looks alike": "PERMISSION_DENIED",
      "call a tool that was granted": "allowed",
      "call one that was not": "PERMISSION_DENIED",
      "use a model": "PERMISSION_DENIED",
      "delegate to the guide": "allowed",
      "delegate to the smuggler": "PERMISSION_DENIED",
      "give away more than it has": "LEASE_SUBSET_VIOLATION",
      "promise more than it has": "LEASE_SUBSET_VIOLATION",
      "go on with the budget used up": "BUDGET_EXHAUSTED",
    });
    const detailsOf = (what: string): unknown =>
      JSON.parse(printed[printed.findIndex((line) => line.startsWith(what)) + 1] ?? "");
    expect(detailsOf("call one that was not")).toEqual({
      capability: "tool.call",
      target: "shell",
      patterns: ["look"],
    });
    expect(detailsOf("promise more than it has")).toMatchObject({ available: "1", requested: "1.01" });
    expect(detailsOf("go on with the budget used up")).toMatchObject({ currency: "USD", remaining: "0" });
    expect(printed.at(-1)).toMatch(/^11 refusals are on the job's log/);
  });
});

describe("lease-expiry", () => {
  it("ends an agent in the middle of its work, which can still say how far it came", async () => {
    const printed = linesOf(await print("lease-expiry"));
    expect(printed[0]).toMatch(/^watchman@1\.0\.0 may look around until \d{4}-/);
    expect(printed).toContain("all quiet");
    const end = printed.indexOf("refused: LEASE_EXPIRED");
    expect(printed[end + 1]).toMatch(/^warn: the lease is over; \d+ rounds were made$/);
    expect(printed.slice(end + 2).join(" ")).toMatch(/^error \{ +code: 'LEASE_EXPIRED',.* retryable: false \}$/);
  });
});

describe("chat-agent", () => {
  it("answers within its budget, and is refused the rest beyond it", async () => {
    const [answered, refused] = (await print("chat-agent")).split(" \n\n");
    // What remains comes at the end of a commit, wherever that is.
    const remains = (line: string): boolean => line.includes("remaining");
    expect(linesOf(answered ?? "").filter((line) => !remains(line))).toEqual([
      "chat@1.0.0 may use local/small and look_up, and spend 0.50 USD",
      ...["  model", "  cost.inference 0.005 USD", "  look_up", "  model", "  cost.inference 0.024 USD"],
      "I was told: plants of the family Orchidaceae.",
    ]);
    expect(linesOf(answered ?? "").findLast(remains)).toBe("  cost.budget.remaining 0.471 USD");
    expect(linesOf(refused ?? "")).toContain("  refused: BUDGET_EXHAUSTED");
    expect(linesOf(refused ?? "").at(-1)).toMatch(/^BUDGET_EXHAUSTED: model\.use on small: /);
  });
});

describe("mcp-under-lease", () => {
  it("reads a note, and does not get to delete it", async () => {
    expect(linesOf(await print("mcp-under-lease", /^read_note monday \S+\n$/))).toEqual([
      "notes@1.0.0 may call notes/list_notes, notes/read_*",
      "may use list_notes, read_note",
      "call   notes/read_note { day: 'monday' }",
      "result { content: [ { type: 'text', text: 'water the orchids' } ] }",
      "call   notes/delete_note { day: 'monday' }",
      "result PERMISSION_DENIED",
      "tool.call on notes/delete_note: the lease grants tool.call for notes/list_notes, notes/read_* only",
    ]);
  });
});
