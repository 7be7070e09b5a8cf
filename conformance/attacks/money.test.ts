/** Ways to spend what is not there, and to have spending miscounted. */
import { describe, expect, it } from "vitest";
import type { AgentContext } from "../../src/agents/agent-context.ts";
import { Arena, type ArenaOptions, type Client, codeOf } from "./arena.ts";

const TREE_LEASE = { "tool.call": ["*"], "agent.delegate": ["*"], "cost.budget": ["USD:1", "credits:10"] };

const forever = (): Promise<never> => new Promise(() => {});

interface Attack {
  readonly arena: Arena;
  readonly client: Client;
  readonly job: string;
}

/** Runs `attack` under `TREE_LEASE`; children `hanging` and `spending` are at hand. */
async function under(
  attack: (ctx: AgentContext, arena: Arena) => unknown,
  options: Partial<ArenaOptions> = {},
): Promise<Attack> {
  const arena: Arena = await Arena.open({
    ...options,
    agents: {
      hanging: forever,
      async spending(ctx: AgentContext, amounts: Readonly<Record<string, string>>) {
        await ctx.charge(amounts);
        await ctx.flush();
      },
      attacking: (ctx) => attack(ctx, arena),
      ...options.agents,
    },
  });
  const client = await arena.connect();
  const { job, code } = await client.submit("attacking", { lease: TREE_LEASE, key: "root" });
  expect(code).toBeUndefined();
  return { arena, client, job };
}

const tool = (ctx: AgentContext): Promise<string> => codeOf(() => ctx.tool("any", {}, () => "started"));

/** How many digits there are: a float keeps 17. */
const TINY = "0.000000000000000000000000000001";

describe("nothing starts, and nothing is promised, at zero [law-no-start-at-zero]", () => {
  it("[attack-siblings] by promising the same money to several children at once", async () => {
    const codes: string[] = [];
    const { arena, job } = await under(async (ctx) => {
      const ask = () => codeOf(() => ctx.delegate("hanging", {}, { budget: { USD: "0.4" } }));
      codes.push(...(await Promise.all([ask(), ask(), ask(), ask()])));
      return forever();
    });
    await using _ = arena;
    await arena.until(() => codes.length === 4);
    expect(codes.toSorted()).toEqual(["LEASE_SUBSET_VIOLATION", "LEASE_SUBSET_VIOLATION", "none", "none"]);
    expect((await arena.counters(job)).USD).toEqual({ spent: "0", held: "0.8" });
    expect(await arena.children(job)).toHaveLength(2);
  });

  it("[attack-raw-remaining] by a metric that says that there is more", async () => {
    const codes: string[] = [];
    const { arena, job } = await under(async (ctx) => {
      await ctx.charge({ USD: "1" });
      for (const name of ["cost.budget.remaining", "cost.budget.", "cost.budget.granted"])
        codes.push(await codeOf(() => ctx.metric({ name, value: 100, unit: "USD" })));
      codes.push(await codeOf(() => ctx.charge({ USD: "1" }, { name: "cost.budget.remaining" })));
      codes.push(await tool(ctx));
    });
    await using _ = arena;
    await arena.until(() => codes.length === 5);
    expect(codes).toEqual([...Array(4).fill("INVALID_REQUEST"), "BUDGET_EXHAUSTED"]);
    expect((await arena.counters(job)).USD).toEqual({ spent: "1", held: "0" });
  });

  it("[attack-negative-cost] by costs that are negative, infinite or no number", async () => {
    const wrong = [
      -1,
      -0.1,
      "-1",
      "-0.0000001",
      Number.NaN,
      Number.POSITIVE_INFINITY,
      1e308 * 10,
      "1e400",
      "NaN",
      "0x1",
    ];
    const more: readonly unknown[] = [
      "",
      " 1",
      "1 ",
      "١",
      "1_000",
      "1,5",
      "+1",
      null,
      [],
      {},
      true,
      { valueOf: () => -1 },
    ];
    const codes: string[] = [];
    const { arena, job } = await under(async (ctx) => {
      for (const amount of [...wrong, ...more] as string[]) {
        codes.push(await codeOf(() => ctx.charge({ USD: amount })));
        codes.push(await codeOf(() => ctx.metric({ name: "cost.x", value: amount, unit: "USD" })));
        codes.push(await codeOf(() => ctx.budget.reserve({ USD: amount })));
        codes.push(await codeOf(() => ctx.delegate("hanging", {}, { budget: { USD: amount } })));
      }
      codes.push("end", await tool(ctx));
    });
    await using _ = arena;
    await arena.until(() => codes.at(-2) === "end");
    expect(new Set(codes.slice(0, -2))).toEqual(new Set(["INVALID_REQUEST"]));
    expect(codes.at(-1)).toBe("none");
    expect(await arena.counters(job)).toEqual({});
    expect(await arena.children(job)).toEqual([]);
  });

  it("[attack-raw-metric] by costs that are reported by plain metrics", async () => {
    const codes: string[] = [];
    const { arena, job } = await under(async (ctx) => {
      await ctx.metric({ name: "cost.one", value: 0.5, unit: "USD" });
      await ctx.metric({ name: "cost.two", value: 0.25, unit: "USD", dimensions: { value: 0 } });
      codes.push(await tool(ctx));
      await ctx.metric({ name: "cost.three", value: 0.25, unit: "USD" });
      codes.push(await tool(ctx));
    });
    await using _ = arena;
    await arena.until(() => codes.length === 2);
    expect(codes).toEqual(["none", "BUDGET_EXHAUSTED"]);
    expect((await arena.counters(job)).USD).toEqual({ spent: "1", held: "0" });
  });

  it("[attack-vendor-metric] by kinds that are the runtime's, emitted by hand", async () => {
    const codes: string[] = [];
    const kinds = ["metric", "delegate", "tool_result", "result", "error", "x-", "x-metric", 'x-a.b","kind":"metric'];
    const { arena, job } = await under(async (ctx) => {
      const body = { name: "cost.budget.remaining", value: 100, unit: "USD" };
      for (const kind of kinds) codes.push(await codeOf(() => ctx.emit(kind as `x-${string}`, body)));
    });
    await using _ = arena;
    await arena.until(() => codes.length === kinds.length);
    expect(new Set(codes)).toEqual(new Set(["INVALID_REQUEST"]));
    expect((await arena.log(job)).map(({ kind }) => kind)).toEqual(["terminal"]);
  });

  it("[attack-omitted-currency] by a child whose lease leaves the currency out", async () => {
    const codes: string[] = [];
    const { arena, job } = await under(
      async (ctx) => {
        const child = await ctx.delegate("greedy", {}, { lease: { "tool.call": ["*"] } });
        await child.result();
        codes.push(await tool(ctx));
      },
      {
        agents: {
          async greedy(ctx) {
            await ctx.charge({ USD: "5" });
            codes.push(await tool(ctx));
          },
        },
      },
    );
    await using _ = arena;
    await arena.until(() => codes.length === 2);
    expect(codes).toEqual(["BUDGET_EXHAUSTED", "BUDGET_EXHAUSTED"]);
    expect((await arena.counters(job)).USD).toEqual({ spent: "5", held: "0" });
  });

  it("[attack-child-overspends] by a child that spends more than it was given", async () => {
    const codes: string[] = [];
    const { arena, job } = await under(async (ctx) => {
      const child = await ctx.delegate("spending", { USD: "1.25" }, { budget: { USD: "0.5" } });
      await child.result();
      codes.push(await tool(ctx), await codeOf(() => ctx.delegate("hanging")));
      codes.push(await codeOf(() => ctx.budget.reserve({ USD: "0.01" })));
    });
    await using _ = arena;
    await arena.until(() => codes.length === 3);
    expect(codes).toEqual(["BUDGET_EXHAUSTED", "BUDGET_EXHAUSTED", "BUDGET_EXHAUSTED"]);
    expect((await arena.counters(job)).USD).toEqual({ spent: "1.25", held: "0" });
  });

  it("[attack-spent-while-waiting] by spending the rest while a tool's record is being written", async () => {
    const codes: string[] = [];
    const { arena } = await under(async (ctx, { store }) => {
      await ctx.flush();
      store.hold();
      const waiting = tool(ctx);
      await ctx.charge({ credits: "10" });
      store.release();
      codes.push(await waiting);
    });
    await using _ = arena;
    await arena.until(() => codes.length === 1);
    expect(codes).toEqual(["BUDGET_EXHAUSTED"]);
  });

  it("[attack-reserved-twice] by reserving and settling one reservation twice", async () => {
    const codes: string[] = [];
    const { arena, job } = await under(async (ctx) => {
      const one = await ctx.budget.reserve({ USD: "0.6" }, { key: "one" });
      codes.push(await codeOf(() => ctx.budget.reserve({ USD: "0.6" }, { key: "one" })));
      codes.push(await codeOf(() => ctx.budget.reserve({ USD: "0.6" }, { key: "two" })));
      await one.commit({ USD: "0.1" });
      codes.push(await codeOf(() => one.commit({ USD: "0.1" })));
      await one.release();
      await one.release();
      codes.push(ctx.budget.available("USD") ?? "");
    });
    await using _ = arena;
    await arena.until(() => codes.length === 4);
    expect(codes).toEqual(["INVALID_REQUEST", "BUDGET_EXHAUSTED", "INVALID_REQUEST", "0.9"]);
    await arena.world.settle();
    expect((await arena.counters(job)).USD).toEqual({ spent: "0.1", held: "0" });
  });

  it("[attack-released-then-spent] by committing more than was reserved", async () => {
    const codes: string[] = [];
    const { arena, job } = await under(async (ctx) => {
      const held = await ctx.budget.reserve({ USD: "0.1" });
      await held.commit({ USD: "7" });
      codes.push(await tool(ctx));
    });
    await using _ = arena;
    await arena.until(() => codes.length === 1);
    expect(codes).toEqual(["BUDGET_EXHAUSTED"]);
    expect((await arena.counters(job)).USD).toEqual({ spent: "7", held: "0" });
  });

  it("[attack-same-key-fresh-counter] by asking for the job again", async () => {
    const { arena, client, job } = await under(async (ctx) => {
      await ctx.charge({ USD: "1" });
      await ctx.flush();
      return forever();
    });
    await using _ = arena;
    const again = await client.submit("attacking", { lease: TREE_LEASE, key: "root" });
    expect(again.job).toBe(job);
    expect((await arena.counters(job)).USD).toEqual({ spent: "1", held: "0" });
  });

  it("[attack-crash-after-charge] by a crash right after a charge", async () => {
    const codes: string[] = [];
    const { arena, job } = await under(
      async (ctx) => {
        if (ctx.attempt === 1) {
          await ctx.charge({ USD: "1.5" });
          await ctx.flush();
          return forever();
        }
        codes.push(ctx.budget.remaining("USD") ?? "", await tool(ctx));
      },
      { persistent: ["attacking"] },
    );
    await using _ = arena;
    await arena.crash();
    await arena.world.advance(10_000);
    expect(codes).toEqual(["-0.5", "BUDGET_EXHAUSTED"]);
    expect((await arena.counters(job)).USD).toEqual({ spent: "1.5", held: "0" });
  });

  it.each([
    ["before the commit", false],
    ["after it", true],
  ])("[attack-crash-between-hold-and-child] by a crash while a child's money is held, %s", async (_when, survives) => {
    let isAsked = false;
    const { arena, job } = await under(
      async (ctx, { store }) => {
        if (ctx.attempt > 1) return forever();
        await ctx.flush();
        store.hold();
        void codeOf(() => ctx.delegate("hanging", {}, { key: "child", budget: { USD: "0.75" } }));
        isAsked = true;
        return forever();
      },
      { persistent: ["attacking", "hanging"] },
    );
    await using _ = arena;
    await arena.until(() => isAsked && arena.store.held > 0);
    await arena.crash(() => survives);
    await arena.world.advance(10_000);
    const children = await arena.children(job);
    expect(children.map(({ status }) => status)).toEqual(survives ? ["running"] : []);
    expect(await arena.counters(job)).toEqual(
      survives ? { USD: { spent: "0", held: "0.75" }, credits: { spent: "0", held: "0" } } : {},
    );
  });
});

describe("money is counted to the last digit [law-money-exact]", () => {
  it("[attack-float-dust] where floats would leave dust", async () => {
    const codes: string[] = [];
    const { arena, job } = await under(async (ctx) => {
      for (let index = 0; index < 9; index++) await ctx.metric({ name: "cost.dust", value: 0.1, unit: "USD" });
      codes.push(ctx.budget.remaining("USD") ?? "", await tool(ctx));
      await ctx.metric({ name: "cost.dust", value: 0.1, unit: "USD" });
      codes.push(ctx.budget.remaining("USD") ?? "", await tool(ctx));
    });
    await using _ = arena;
    await arena.until(() => codes.length === 4);
    expect(codes).toEqual(["0.1", "none", "0", "BUDGET_EXHAUSTED"]);
    expect((await arena.counters(job)).USD).toEqual({ spent: "1", held: "0" });
  });

  it("[attack-tiny-and-huge] where no float could tell amounts apart", async () => {
    const codes: string[] = [];
    const { arena, job } = await under(async (ctx) => {
      await ctx.charge({ USD: `0.${"9".repeat(30)}` });
      codes.push(ctx.budget.remaining("USD") ?? "", await tool(ctx));
      await ctx.charge({ USD: 1e-30 });
      codes.push(ctx.budget.remaining("USD") ?? "", await tool(ctx));
      await ctx.charge({ USD: `${"9".repeat(30)}.${"9".repeat(30)}` });
    });
    await using _ = arena;
    await arena.until(() => codes.length === 4);
    await arena.world.settle();
    expect(codes).toEqual([TINY, "none", "0", "BUDGET_EXHAUSTED"]);
    const remaining = (await arena.log(job)).filter(({ body }) => body.name === "cost.budget.remaining").at(-1)?.text;
    expect(remaining).toContain(`"value":-${"9".repeat(30)}.${"9".repeat(30)},`);
  });

  it("[attack-below-zero] far below zero, here and above", async () => {
    let isSpent = false;
    const { arena, job } = await under(async (ctx) => {
      const child = await ctx.delegate("spending", { USD: "100", credits: "0.5" }, { budget: { USD: "0.25" } });
      await child.result();
      await ctx.charge({ USD: "1000.001" });
      await ctx.flush();
      isSpent = true;
      return forever();
    });
    await using _ = arena;
    await arena.until(() => isSpent);
    const [child] = await arena.children(job);
    expect(await arena.counters(child?.id ?? "")).toEqual({ USD: { spent: "100", held: "0" } });
    expect(await arena.counters(job)).toEqual({
      USD: { spent: "1100.001", held: "0" },
      credits: { spent: "0.5", held: "0" },
    });
  });

  it("[attack-crash-anywhere] whichever commit of a tree is the last", async () => {
    for (let last = 0; last < 12; last++) {
      const { arena, job } = await under(
        async (ctx, { store, world }) => {
          const pause = () => new Promise<void>((resolve) => void world.timers.after(1, resolve));
          if (ctx.attempt > 1) return forever();
          for (let round = 0; round < 4; round++) {
            const reserved = await ctx.budget.reserve({ USD: "0.01" });
            const child = await ctx.delegate("spending", { USD: "0.1" }, { budget: { USD: "0.15" } });
            await ctx.charge({ USD: "0.001" });
            if (round % 2 === 0) await reserved.commit();
            await child.result();
            if (round * 3 >= last) store.hold();
            await pause();
          }
          return forever();
        },
        { persistent: ["attacking"] },
      );
      await using _ = arena;
      await arena.world.advance(100);
      let survivors = last % 3;
      await arena.crash(() => survivors-- > 0);
      await arena.world.advance(20_000);
      const { spent, held } = (await arena.counters(job)).USD ?? { spent: "0", held: "0" };
      const tree = [job, ...(await arena.children(job)).map(({ id }) => id)];
      const costs = await Promise.all(tree.map((id) => costsOf(arena, id)));
      expect(thousandths(spent)).toBe(costs.flat().reduce((sum, cost) => sum + thousandths(cost), 0));
      const holds = await arena.store.readHolds(job);
      const open = holds
        .filter(({ state }) => state === "open")
        .map(({ amounts }) => JSON.parse(amounts).USD as string);
      expect(thousandths(held)).toBe(open.reduce((sum, amount) => sum + thousandths(amount), 0));
    }
  });
});

/** Costs in USD on a job's log, as they were written. */
async function costsOf(arena: Arena, job: string): Promise<readonly string[]> {
  const costs = (await arena.log(job)).map(({ text }) =>
    /"name":"cost\.(?!budget\.)[^"]*","value":([\d.]+)/.exec(text),
  );
  return costs.flatMap((found) => found?.[1] ?? []);
}

/** Whole numbers: those of this test have three digits after the point at most. */
function thousandths(decimal: string): number {
  return Math.round(Number(decimal) * 1_000);
}
