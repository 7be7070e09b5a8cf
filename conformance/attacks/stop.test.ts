/** Jobs that want to live on: past a stop, past the end of their tree, past their own terminal. */
import { describe, expect, it } from "vitest";
import type { AgentContext } from "../../src/agents/agent-context.ts";
import { Arena, type Client, codeOf } from "./arena.ts";

const TREE_LEASE = { "agent.delegate": ["*"], "tool.call": ["*"], "cost.budget": ["USD:10"] };

/** Never resolves: an agent that hangs. */
const forever = (): Promise<never> => new Promise(() => {});

/** Submits `agent` under a lease that allows everything these attacks use. */
async function start(client: Client, agent: string, more: object = {}): Promise<string> {
  const { job, code } = await client.submit(agent, { lease: TREE_LEASE, ...more });
  expect(code).toBeUndefined();
  return job;
}

/** Everything that a context lets an agent do, taken out of it. */
function everythingOf(ctx: AgentContext): Readonly<Record<string, () => unknown>> {
  const { log, thought, status, progress, metric, emit, artifact, flush, tool, step, delegate, charge, budget } = ctx;
  return {
    log: () => log("still here"),
    thought: () => thought("still here"),
    status: () => status("still"),
    progress: () => progress({ current: 1 }),
    metric: () => metric({ name: "m", value: 1 }),
    emit: () => emit("x-still.here", {}),
    artifact: () => artifact({ contentType: "text/plain", data: "still here" }),
    flush: () => flush(),
    tool: () => tool("any", {}, () => expect.unreachable("a tool was started after the end")),
    step: () => step("late", () => expect.unreachable("a step was begun after the end")),
    delegate: () => delegate("hanging"),
    charge: () => charge({ USD: "1" }),
    reserve: () => budget.reserve({ USD: "1" }),
  };
}

/** Which of them were let through. */
async function tryAll(deeds: Readonly<Record<string, () => unknown>>): Promise<readonly string[]> {
  const done: string[] = [];
  for (const [name, deed] of Object.entries(deeds)) {
    if ((await codeOf(async () => deed())) === "none") done.push(name);
  }
  return done;
}

describe("a job that is stopped", () => {
  it("[attack-deaf][law-tree-stops] is shut out, though it never looks at its signal", async () => {
    let done: readonly string[] | undefined;
    await using arena = await Arena.open({
      agents: {
        hanging: forever,
        async deaf(ctx) {
          await ctx.log("begun");
          await new Promise<void>((resolve) => void arena.world.timers.after(5_000, resolve));
          done = await tryAll(everythingOf(ctx));
          return "as if nothing had been";
        },
      },
    });
    const client = await arena.connect();
    const job = await start(client, "deaf");
    expect((await client.ask("job.cancel", job)).code).toBeUndefined();
    const log = await arena.log(job);
    await arena.world.advance(10_000);
    expect(done).toEqual([]);
    expect(await arena.log(job)).toEqual(log);
    expect((await arena.job(job)).status).toBe("cancelled");
    expect(await arena.children(job)).toEqual([]);
  });

  it("[attack-saved-ctx][attack-emit-after-end][law-one-terminal] does nothing more with what it saved of its ctx", async () => {
    let saved: Readonly<Record<string, () => unknown>> = {};
    await using arena = await Arena.open({
      agents: {
        hanging: forever,
        async saving(ctx) {
          saved = everythingOf(ctx);
          await ctx.charge({ USD: "1.5" });
          return "done";
        },
      },
    });
    const client = await arena.connect();
    const job = await start(client, "saving");
    expect((await arena.job(job)).status).toBe("success");
    const log = await arena.log(job);
    expect(await tryAll(saved)).toEqual([]);
    await arena.world.advance(1_000);
    expect(await arena.log(job)).toEqual(log);
    expect(log.at(-1)?.kind).toBe("terminal");
    expect(await arena.counters(job)).toEqual({ USD: { spent: "1.5", held: "0" } });
    expect(await arena.children(job)).toEqual([]);
  });

  it("[attack-delegate-while-stopping][law-tree-stops] begins no child in the turn of the stop", async () => {
    const codes: Promise<string>[] = [];
    await using arena = await Arena.open({
      agents: {
        hanging: forever,
        stopping(ctx) {
          const delegate = () => codes.push(codeOf(() => ctx.delegate("hanging")));
          ctx.signal.addEventListener("abort", delegate);
          return forever();
        },
      },
    });
    const client = await arena.connect();
    const job = await start(client, "stopping");
    await client.ask("job.cancel", job);
    expect(await Promise.all(codes)).toEqual(["CANCELLED"]);
    expect(await arena.children(job)).toEqual([]);
  });

  it("[attack-delegate-while-stopping] begins no child that was asked for in the same turn", async () => {
    let code: Promise<string> | undefined;
    await using arena = await Arena.open({
      agents: {
        hanging: forever,
        async delegating(ctx) {
          await new Promise<void>((resolve) => void arena.world.timers.after(100, resolve));
          code = codeOf(() => ctx.delegate("hanging"));
          return forever();
        },
      },
    });
    const client = await arena.connect();
    const job = await start(client, "delegating");
    arena.store.hold();
    await arena.world.advance(100);
    const cancelled = client.ask("job.cancel", job);
    await arena.world.settle();
    arena.store.release();
    await cancelled;
    await arena.world.advance(100);
    expect(await code).toBe("CANCELLED");
    const statuses = (await arena.children(job)).map(({ status }) => status);
    expect(statuses.filter((status) => status !== "cancelled")).toEqual([]);
    expect((await arena.job(job)).status).toBe("cancelled");
  });

  it("[attack-tool-waiting-at-stop][law-tree-stops] starts no tool whose record was being written", async () => {
    let started = false;
    await using arena = await Arena.open({
      agents: {
        async calling(ctx) {
          await ctx.log("begun");
          await new Promise<void>((resolve) => void arena.world.timers.after(100, resolve));
          await ctx.tool("any", {}, () => {
            started = true;
          });
        },
      },
    });
    const client = await arena.connect();
    const job = await start(client, "calling");
    arena.store.hold();
    await arena.world.advance(100);
    const cancelled = client.ask("job.cancel", job);
    await arena.world.settle();
    arena.store.release();
    await cancelled;
    await arena.world.advance(1_000);
    expect(started).toBe(false);
  });

  it("[attack-parent-returns][law-tree-stops] takes along the children that it leaves running", async () => {
    await using arena = await Arena.open({
      agents: {
        hanging: forever,
        async leaving(ctx) {
          await ctx.delegate("hanging", {}, { budget: { USD: "4" } });
          await ctx.delegate("hanging", {}, { budget: { USD: "5" } });
          return "gone";
        },
      },
    });
    const client = await arena.connect();
    const job = await start(client, "leaving");
    await arena.world.advance(100);
    expect((await arena.job(job)).status).toBe("success");
    expect((await arena.children(job)).map(({ status }) => status)).toEqual(["cancelled", "cancelled"]);
    expect(await arena.counters(job)).toEqual({ USD: { spent: "0", held: "0" } });
  });

  it("[attack-late-grandchild][law-tree-stops] leaves no grandchild that was begun while it ended", async () => {
    await using arena = await Arena.open({
      agents: {
        hanging: forever,
        async breeding(ctx, { depth }: { depth: number }) {
          if (depth > 0) await ctx.delegate("breeding", { depth: depth - 1 }, { lease: { "agent.delegate": ["*"] } });
          for (;;) {
            await new Promise<void>((resolve) => void arena.world.timers.after(1, resolve));
            await ctx.delegate("hanging");
          }
        },
      },
      limits: { maxLiveChildren: 500 },
    });
    const client = await arena.connect();
    const { job } = await client.submit("breeding", { input: { depth: 3 }, lease: TREE_LEASE });
    await arena.world.advance(20);
    await client.ask("job.cancel", job);
    await arena.world.advance(100);
    const { jobs } = await arena.store.listJobs({ principals: ["t/ada"], limit: 10_000 });
    expect(jobs.length).toBeGreaterThan(20);
    expect(jobs.filter(({ status }) => status !== "cancelled")).toEqual([]);
  });

  it("[attack-hanging-past-expiry][law-tree-stops] ends within two seconds of its expiry, with its tree", async () => {
    await using arena = await Arena.open({
      agents: {
        hanging: forever,
        async parent(ctx) {
          await ctx.delegate("hanging");
          return forever();
        },
      },
    });
    const client = await arena.connect();
    const expires = new Date(arena.world.clock.now() + 10_000).toISOString();
    const job = await start(client, "parent", { constraints: { expires_at: expires } });
    await arena.world.advance(9_990);
    expect((await arena.job(job)).status).toBe("running");
    await arena.world.advance(2_010);
    const tree = [await arena.job(job), ...(await arena.children(job))];
    expect(tree.map(({ status }) => status)).toEqual(["error", "error"]);
    for (const { id } of tree) expect((await arena.log(id)).at(-1)?.body).toMatchObject({ code: "LEASE_EXPIRED" });
  });

  it.each([
    ["before its commit", false],
    ["after its commit", true],
  ])(
    "[attack-crash-at-stop][law-tree-stops] is stopped as a whole or not at all when a crash comes %s",
    async (_when, survives) => {
      await using arena = await Arena.open({
        agents: {
          hanging: forever,
          async parent(ctx) {
            await ctx.delegate("parent", {}, { key: "one", lease: { "agent.delegate": ["*"] } }).catch(() => {});
            return forever();
          },
        },
        persistent: ["hanging", "parent"],
        limits: { maxDelegationDepth: 3 },
      });
      const client = await arena.connect();
      const job = await start(client, "parent");
      await arena.world.advance(100);
      arena.store.hold();
      client.send("job.cancel", { job_id: job });
      await arena.world.settle();
      await arena.crash(() => survives);
      await arena.world.advance(1);
      const { jobs } = await arena.store.listJobs({ principals: ["t/ada"], limit: 100 });
      expect(jobs).toHaveLength(4);
      const ended = jobs.filter(({ status }) => status === "cancelled");
      expect(ended).toHaveLength(survives ? 4 : 0);
    },
  );
});

describe("a job has one terminal", () => {
  it("[attack-cancel-meets-return][law-one-terminal] when it is cancelled in the turn in which it returns", async () => {
    for (const cancelFirst of [true, false]) {
      await using arena = await Arena.open({
        agents: {
          returning: () => new Promise((resolve) => void arena.world.timers.after(100, () => resolve("done"))),
        },
      });
      const client = await arena.connect();
      const { job } = await client.submit("returning");
      if (cancelFirst) arena.world.timers.after(100, () => client.send("job.cancel", { job_id: job }));
      arena.store.hold();
      await arena.world.advance(100);
      if (!cancelFirst) client.send("job.cancel", { job_id: job });
      await arena.world.settle();
      arena.store.release();
      await arena.world.advance(100);
      const terminals = (await arena.log(job)).filter(({ kind }) => kind === "terminal");
      expect(terminals).toHaveLength(1);
      expect(terminals[0]?.body.final_status).toBe((await arena.job(job)).status);
    }
  });

  it("[attack-crash-at-terminal][law-one-terminal] when a crash comes before anybody heard of it", async () => {
    let runs = 0;
    await using arena = await Arena.open({
      agents: {
        async counting(ctx) {
          runs++;
          await ctx.log(`run ${runs}`);
          await new Promise<void>((resolve) => void arena.world.timers.after(100, resolve));
          return runs;
        },
      },
      persistent: ["counting"],
    });
    const client = await arena.connect();
    const { job } = await client.submit("counting");
    arena.store.failAfterApply("lost");
    await arena.world.advance(100);
    await arena.crash(() => true);
    await arena.world.advance(10_000);
    expect(runs).toBe(1);
    expect((await arena.log(job)).filter(({ kind }) => kind === "terminal")).toHaveLength(1);
  });

  it("[attack-throw-after-return][law-one-terminal] whatever it left behind throws later", async () => {
    await using arena = await Arena.open({
      agents: {
        hanging: forever,
        leaving() {
          setTimeout(() => {
            throw new Error("left behind");
          });
          void Promise.reject(new Error("left behind as well"));
          return "gone";
        },
      },
    });
    const client = await arena.connect();
    const other = await client.submit("hanging");
    const { job } = await client.submit("leaving");
    const log = await arena.log(job);
    // Timers of one length fire in the order in which they were made: the agent's has thrown by then.
    await new Promise((resolve) => setTimeout(resolve));
    await arena.world.advance(1_000);
    expect(await arena.log(job)).toEqual(log);
    expect((await arena.job(job)).endedAt).not.toBeNull();
    expect((await arena.job(other.job)).status).toBe("running");
  });
});
