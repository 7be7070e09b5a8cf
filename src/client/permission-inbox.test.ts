/** Readers of what jobs ask for: what waits, what comes, and nothing that was decided meanwhile. */
import { describe, expect, it } from "vitest";
import { SessionError } from "./errors.ts";
import { PermissionInbox } from "./permission-inbox.ts";

const request = (id: string, job_id = "job_1") => ({
  permission_id: id,
  job_id,
  permission: "tool.call",
  resource: "refund",
  operation: "call",
  reason: undefined,
  requested_lease_seconds: undefined,
  expires_at: undefined,
});
const event = (permission_id: string, state: string) => ({
  kind: "x-leasehold.permission",
  ts: undefined,
  job_seq: 2,
  body: { permission_id, state, permission: "tool.call", resource: "refund", operation: "call" },
});

const idOf = async (next: Promise<IteratorResult<{ readonly id: string }, void>>): Promise<string | undefined> =>
  (await next).value?.id;

describe("a reader", () => {
  it("is told of what waits, then of what comes, each once whatever is replayed", async () => {
    const inbox = new PermissionInbox();
    inbox.receive(request("perm_1"));
    const reader = inbox.requests(undefined);
    expect(await idOf(reader.next())).toBe("perm_1");
    const next = reader.next();
    inbox.receive(request("perm_1"));
    inbox.receive(request("perm_2"));
    expect(await idOf(next)).toBe("perm_2");
    expect(await idOf(inbox.requests(undefined).next())).toBe("perm_1");
  });

  it("is not told of what was decided, or lapsed with its job, before it came to it", async () => {
    const inbox = new PermissionInbox();
    const reader = inbox.requests(undefined);
    for (const id of ["perm_1", "perm_2", "perm_3"]) inbox.receive(request(id));
    inbox.receive(request("perm_4", "job_2"));
    expect(await idOf(reader.next())).toBe("perm_1");
    inbox.event(event("perm_2", "granted"));
    inbox.event({ ...event("perm_4", "denied"), kind: "log" });
    inbox.event({ ...event("perm_4", "denied"), body: {} });
    inbox.event(event("perm_4", "pending"));
    inbox.ended("job_1");
    expect(await idOf(reader.next())).toBe("perm_4");
  });

  it("keeps the newest thousand", async () => {
    const inbox = new PermissionInbox();
    for (let index = 0; index <= 1_000; index++) inbox.receive(request(`perm_${index}`));
    expect(await idOf(inbox.requests(undefined).next())).toBe("perm_1");
  });

  it("ends with its signal, and with the session", async () => {
    const inbox = new PermissionInbox();
    const ending = new AbortController();
    const aborted = inbox.requests(ending.signal).next();
    const lost = inbox.requests(undefined).next();
    ending.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    const over = new SessionError({ code: "SESSION_CLOSED", message: "closed", retryable: false });
    inbox.fail(over);
    await expect(lost).rejects.toBe(over);
    await expect(inbox.requests(undefined).next()).rejects.toBe(over);
  });
});
