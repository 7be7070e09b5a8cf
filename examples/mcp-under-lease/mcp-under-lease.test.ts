/** `notes` in a runtime of its own process, which starts the MCP server in another. */
import { join } from "node:path";
import { connect, type Session } from "leasehold/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Command, createPlace, jsonLines, type Place } from "../../conformance/end-to-end/test-place.ts";

let place: Place;
let runtime: Command;
let session: Session;
beforeAll(async () => {
  place = await createPlace();
  runtime = place.start(["dev", join(import.meta.dirname, "agent.ts"), "--port", "0", "--json"]);
  const ready = await runtime.until("the line that says where it serves", (stdout) => jsonLines(stdout)[0]);
  session = await connect(String(ready.url), { token: String(ready.token) });
});
afterAll(async () => {
  await session?.[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

async function run(input: { readonly read: string[]; readonly delete: string[] }, patterns: readonly string[]) {
  const job = await session.submit("notes", input, { lease: { "tool.call": patterns } });
  const log: unknown[] = [];
  const calls: unknown[] = [];
  for await (const { kind, body } of job.events()) {
    if (kind === "log") log.push(body.message);
    if (kind === "tool_call") calls.push(body.tool);
    if (kind === "tool_result" && "error" in body) calls.push(body.error?.message);
  }
  const outcome = await job.result().catch((error: { readonly code: string }) => error.code);
  return { outcome, log, calls, traceId: job.traceId };
}

describe("notes", () => {
  it("uses the tools that its lease allows, and is told of no others", async () => {
    const allowed = ["notes/list_notes", "notes/read_*"];
    const done = await run({ read: ["monday", "never"], delete: [] }, allowed);
    expect(done).toMatchObject({
      outcome: ["water the orchids", "no note for never"],
      log: ["may use list_notes, read_note"],
      calls: ["notes/read_note", "notes/read_note", "the tool failed: no note for never"],
    });
    // The server's own words, on the runtime's standard error: the call belongs to the job's trace (§11).
    await expect.poll(() => runtime.stderr()).toMatch(/^read_note monday 00-[0-9a-f]{32}-[0-9a-f]{16}-\d\d$/m);
    expect(runtime.stderr()).toContain(String(done.traceId));
  });

  it("ends at the first call that its lease does not allow, which never reaches the server", async () => {
    const ended = await run({ read: ["tuesday"], delete: ["tuesday"] }, ["notes/read_*"]);
    expect(ended.outcome).toBe("PERMISSION_DENIED");
    expect(ended.calls.slice(0, 2)).toEqual(["notes/read_note", "notes/delete_note"]);
    expect(runtime.stderr()).not.toContain("delete_note tuesday");
  });
});
