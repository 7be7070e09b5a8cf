/** Ways to reach what is another's: its jobs, its children, its place in a tree. */
import { describe, expect, it } from "vitest";
import { Arena, type Client } from "./arena.ts";

const forever = (): Promise<never> => new Promise(() => {});
const LEASE = { "agent.delegate": ["*"], "cost.budget": ["USD:10"] };

/** Ada's job with a child that hangs. */
async function begin(options: { observed?: boolean } = {}) {
  const arena = await Arena.open({
    agents: {
      hanging: forever,
      async parent(ctx) {
        await ctx.delegate("hanging", {}, { budget: { USD: "4" } });
        return forever();
      },
    },
    ...(options.observed && { observe: { "t/eve": ["t/ada"] } }),
  });
  const ada = await arena.connect("ada");
  const { job } = await ada.submit("parent", { lease: LEASE, key: "ada's" });
  let child = "";
  await arena.until(() => {
    child = String(ada.frames.find(({ payload }) => payload.parent_job_id === job)?.payload.job_id ?? "");
    return child !== "";
  });
  return { arena, ada, job, child };
}

/** Ada's job, which waits for somebody to decide, and what it asks for. Eve may watch it when `observed`. */
async function beginAsking({ observed = false } = {}) {
  const ask = { permission: "tool.call", resource: "refund", operation: "call" };
  const arena = await Arena.open({
    agents: { asking: (ctx) => ctx.requestPermission(ask) },
    ...(observed && { observe: { "t/eve": ["t/ada"] } }),
  });
  const ada = await arena.connect("ada");
  const { job } = await ada.submit("asking");
  const request = () => ada.frames.find(({ type }) => type === "permission.request");
  await arena.until(() => request() !== undefined);
  return { arena, job, id: String(request()?.payload.permission_id) };
}

const DECISIONS = [
  ["permission.grant", {}],
  ["permission.deny", {}],
  ["lease.refresh", { additional_seconds: 60 }],
  ["lease.revoke", {}],
] as const;

/** A grant's name follows from that of the request. */
function named(type: string, id: string): object {
  return type.startsWith("lease.") ? { lease_id: id.replace("perm_", "lease_") } : { permission_id: id };
}

/** What a client is told of a job that it asks about. */
async function told(client: Client, job: string): Promise<readonly unknown[]> {
  const answers = [await client.ask("job.subscribe", job), await client.ask("job.cancel", job)];
  return answers.map(({ code, frame }) => [code, String(frame.payload.message).replaceAll(job, "…")]);
}

describe("a tree is its principal's [law-principals-apart]", () => {
  it("[attack-guessed-child] and a stranger who guesses the id of a child learns nothing of it", async () => {
    const { arena, ada, job, child } = await begin();
    await using _ = arena;
    const eve = await arena.connect("eve");
    expect(await told(eve, child)).toEqual(await told(eve, `job_${"0".repeat(26)}`));
    expect((await eve.ask("job.cancel", child)).code).toBe("JOB_NOT_FOUND");
    const listing = await eve.request("session.list_jobs", {});
    expect(listing.payload.jobs).toEqual([]);
    expect(JSON.stringify(eve.frames.filter(({ payload }) => payload.code === undefined))).not.toContain(child);
    expect((await arena.job(child)).status).toBe("running");
    expect((await ada.ask("job.cancel", child)).code).toBeUndefined();
    expect((await arena.job(job)).status).toBe("running");
  });

  it("[attack-parents-key] and its key is another one's own", async () => {
    const { arena, job } = await begin();
    await using _ = arena;
    const eve = await arena.connect("eve");
    const { job: other, code } = await eve.submit("parent", { lease: LEASE, key: "ada's" });
    expect(code).toBeUndefined();
    expect(other).not.toBe(job);
    expect(await arena.job(other)).toMatchObject({ principal: "t/eve", parent: null, root: other });
  });

  it("[attack-watcher-cancels-child] and who watches it does not stop its children", async () => {
    const { arena, job, child } = await begin({ observed: true });
    await using _ = arena;
    const watcher = await arena.connect("eve");
    for (const seen of [job, child]) {
      expect((await watcher.ask("job.subscribe", seen)).code).toBeUndefined();
      expect((await watcher.ask("job.cancel", seen)).code).toBe("PERMISSION_DENIED");
    }
    // Of the owner, which did not submit it and cannot say that it would control it.
    const another = await arena.connect("ada");
    expect((await another.ask("job.subscribe", child)).code).toBeUndefined();
    expect((await another.ask("job.cancel", child)).code).toBe("PERMISSION_DENIED");
    await arena.world.advance(100);
    expect((await arena.job(child)).status).toBe("running");
    expect((await arena.job(job)).status).toBe("running");
  });

  it("[attack-guessed-permission] and what it asks people for is nothing a stranger can decide", async () => {
    const { arena, id } = await beginAsking();
    await using _ = arena;
    const eve = await arena.connect("eve");
    const never = `perm_${"0".repeat(26)}`;
    for (const [type, more] of DECISIONS) {
      const answers = await Promise.all([id, never].map((one) => eve.request(type, { ...named(type, one), ...more })));
      const [guessed, unknown] = answers.map(({ payload }) => payload);
      expect(guessed).toMatchObject({ code: "JOB_NOT_FOUND" });
      expect(String(guessed?.message).replace(id, never)).toBe(unknown?.message);
    }
    expect((await eve.request("session.list_permissions", {})).payload.permissions).toEqual([]);
    expect((await arena.store.readPermission(id))?.state).toBe("pending");
  });

  it("[attack-watcher-decides] nor anything that who watches it can decide", async () => {
    const { arena, id, job } = await beginAsking({ observed: true });
    await using _ = arena;
    const watcher = await arena.connect("eve");
    expect((await watcher.ask("job.subscribe", job)).code).toBeUndefined();
    expect((await watcher.request("session.list_permissions", {})).payload.permissions).toMatchObject([
      { permission_id: id, state: "pending" },
    ]);
    for (const [type, more] of DECISIONS) {
      const { payload } = await watcher.request(type, { ...named(type, id), ...more });
      expect(payload).toMatchObject({ code: "PERMISSION_DENIED" });
    }
    expect(watcher.frames.filter(({ type }) => type === "permission.request")).toEqual([]);
    expect((await arena.store.readPermission(id))?.state).toBe("pending");
    const { entries } = await arena.store.listAudit({ scopes: ["t/ada"], limit: 100 });
    const refused = entries.filter(({ principal, allowed }) => principal === "t/eve" && !allowed);
    expect(refused.map(({ action }) => action).toSorted()).toEqual([
      "permission.deny",
      "permission.extend",
      "permission.grant",
      "permission.revoke",
    ]);
  });

  it("[attack-forged-parent] and nobody is in it for having said so", async () => {
    const { arena, job } = await begin();
    await using _ = arena;
    const eve = await arena.connect("eve");
    const forged = { parent_job_id: job, root: job, parent: job, delegate_id: "del_1", principal: "t/ada" };
    const { job: other, code } = await eve.submit("parent", { lease: LEASE, more: forged });
    expect(code).toBeUndefined();
    expect(await arena.job(other)).toMatchObject({ principal: "t/eve", parent: null, root: other, delegateId: null });
    expect(await arena.children(job)).toHaveLength(1);
    expect((await arena.counters(job)).USD).toEqual({ spent: "0", held: "4" });
  });
});
