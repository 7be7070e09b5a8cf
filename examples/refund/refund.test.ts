/** A refund that waits for a person, who is at another terminal; and a batch whose grant is taken back on its way. */
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createPlace, jsonLines, type Place } from "../../conformance/end-to-end/test-place.ts";

let place: Place;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place[Symbol.asyncDispose]());

const AGENTS = join(import.meta.dirname, "agents.ts");
const ORDER = { order: "A-17", amount: "120.00" };

/** A runtime with the agents, and a job of `refund` that waits for somebody. */
async function waitingRefund() {
  const server = place.start(["dev", AGENTS, "--port", "0", "--json"]);
  await server.until("the line that says where it serves", (stdout) => jsonLines(stdout)[0]);
  const job = place.start(["submit", "refund", JSON.stringify(ORDER), "--lease", "tool.call=look-up"]);
  const id = await job.until("what to type", (stdout) => /leasehold permissions grant (perm_\w+)/.exec(stdout)?.[1]);
  return { server, job, id };
}

describe("refund", () => {
  it("waits until it is granted from the terminal", async () => {
    const { job, id } = await waitingRefund();
    expect(job.stdout()).toMatch(/person +waits for a person to decide tool\.call refund \(call\)/);
    const listed = await place.run(["permissions", "list", "--json"]);
    expect(jsonLines(listed.stdout)).toMatchObject([
      {
        permission_id: id,
        state: "pending",
        agent: "refund@1.0.0",
        resource: "refund",
        operation: "call",
        args: ORDER,
      },
    ]);
    const granted = await place.run(["permissions", "grant", id, "--for", "2m"]);
    expect(granted).toMatchObject({ code: 0, stderr: "" });
    expect(granted.stdout).toMatch(/^granted tool\.call refund \(call\), until 20/);
    const { code, stdout } = await job.ended();
    expect(code).toBe(0);
    expect(stdout).toContain('"refunded": "120.00"');
    const none = await place.run(["permissions", "list"]);
    expect(none).toEqual({ code: 0, stdout: "", stderr: "nobody waits for a decision\n" });
  });

  it("still waits after the runtime was killed, and is granted then", async () => {
    const { server, id } = await waitingRefund();
    const [waiting] = jsonLines((await place.run(["jobs", "--json"])).stdout);
    server.child.kill("SIGKILL");
    await server.ended();
    const again = place.start(["dev", AGENTS, "--port", "0", "--json"]);
    await again.until("the line that says where it serves", (stdout) => jsonLines(stdout)[0]);
    const listed = await place.run(["permissions", "list", "--json"]);
    expect(jsonLines(listed.stdout)).toMatchObject([{ permission_id: id, state: "pending" }]);
    expect((await place.run(["permissions", "grant", id])).code).toBe(0);
    const { code, stdout } = await place.run(["watch", String(waiting?.job_id), "--result-only"]);
    expect({ code, result: JSON.parse(stdout) }).toEqual({ code: 0, result: { order: "A-17", refunded: "120.00" } });
  });

  it("fails when it is refused, and says why", async () => {
    const { job, id } = await waitingRefund();
    expect((await place.run(["permissions", "deny", id, "--reason", "too much"])).stdout).toMatch(/^denied tool\.call/);
    const { code, stderr } = await job.ended();
    expect(code).toBe(2);
    expect(stderr).toContain("PERMISSION_DENIED");
    const shown = await place.run(["permissions", "show", id]);
    expect(shown.stdout).toMatch(/^state +denied$/m);
    expect(shown.stdout).toMatch(/^because +too much$/m);
    expect((await place.run(["permissions", "grant", id])).code).toBe(1);
  });
});

describe("npm run example refund", () => {
  it.each([
    ["y\n", /granted for 60 seconds\n\{ order: 'A-17', refunded: '120\.00' \}/],
    ["n\n", /PERMISSION_DENIED: /],
  ])("answered with %j", async (input, says) => {
    const run = join(import.meta.dirname, "../run.ts");
    const program = place.spawn(process.execPath, ["--conditions=leasehold-source", run, "refund"], { input });
    const { code, stdout, stderr } = await program.ended();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^may refund@1\.0\.0 call refund with \{"order":"A-17","amount":"120\.00"\}\? \(y\/n\)\n/);
    expect(stdout).toMatch(says);
    expect(stdout.split("\n\n")[1]).toBe(
      [
        "40 orders of a recalled product: granted",
        "taken back after 3 refunds",
        "warn: the next order was refused: the grant was taken back, or is over",
        "some are done, the others are left",
        "",
      ].join("\n"),
    );
  });
});
