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
