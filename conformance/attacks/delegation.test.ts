/** Ways for a job to hand on more than it has. */
import { describe, expect, it } from "vitest";
import type { AgentContext } from "../../src/agents/agent-context.ts";
import type { DelegateOptions } from "../../src/agents/delegate.ts";
import { Arena, type ArenaOptions, codeOf } from "./arena.ts";

const LEASE = {
  "tool.call": ["work-*"],
  "fs.read": ["/a/**", "/b/**", "/c/?/*"],
  "agent.delegate": ["hanging", "attacking@1.0.0"],
  "model.use": ["acme/mini"],
  "cost.budget": ["USD:1"],
};

const forever = (): Promise<never> => new Promise(() => {});

async function under(
  attack: (ctx: AgentContext, arena: Arena) => unknown,
  { lease = LEASE, constraints, ...options }: Partial<ArenaOptions> & { lease?: object; constraints?: object } = {},
): Promise<{ arena: Arena; job: string }> {
  const arena: Arena = await Arena.open({
    ...options,
    agents: { hanging: forever, other: forever, attacking: (ctx) => attack(ctx, arena), ...options.agents },
  });
  const client = await arena.connect();
  const { job, code } = await client.submit("attacking", { lease, constraints });
  expect(code).toBeUndefined();
  return { arena, job };
}

/** Tries each of these as a child's bounds, one after the other. */
async function tryAll(options: readonly DelegateOptions[], more: Parameters<typeof under>[1] = {}) {
  const codes: string[] = [];
  const { arena, job } = await under(async (ctx) => {
    for (const bounds of options) codes.push(await codeOf(() => ctx.delegate("hanging", {}, bounds)));
    return forever();
  }, more);
  await arena.until(() => codes.length === options.length);
  const outcome = { codes, children: await arena.children(job), refusals: await arena.refusals(job) };
  await arena[Symbol.asyncDispose]();
  return outcome;
}

describe("a child has no more than its parent [law-authority-within-parent]", () => {
  it("[attack-wider-pattern] by patterns that cover more", async () => {
    const wider = [
      { "tool.call": ["*"] },
      { "tool.call": ["work-*", "w*"] },
      { "tool.call": ["work-**"] },
      { "tool.call": ["work-?", "play"] },
      { "fs.read": ["/a*/**"] },
      { "fs.read": ["/?/**"] },
      { "fs.read": ["/c/**"] },
      { "fs.read": ["/c/?/**"] },
      { "fs.read": ["**"] },
      { "model.use": ["acme/*"] },
      { "agent.delegate": ["*"] },
      { "agent.delegate": ["attacking"] },
      { "agent.delegate": ["attacking@*"] },
    ];
    const { codes, children, refusals } = await tryAll(wider.map((lease) => ({ lease })));
    expect(new Set(codes)).toEqual(new Set(["LEASE_SUBSET_VIOLATION"]));
    expect(refusals).toEqual(codes);
    expect(children).toEqual([]);
  });

  it("[attack-union-of-patterns] by one that only all of its patterns together nearly cover", async () => {
    const lease = { ...LEASE, "fs.read": ["/**/*.txt", "/**/*.md", "/**/?", "/src/**"] };
    const nearly = [["/**/*"], ["/**/*.t*"], ["/**/*.??"], ["/src/**", "/sr/**"], ["/**"]].map((patterns) => ({
      lease: { "fs.read": patterns },
    }));
    expect(new Set((await tryAll(nearly, { lease })).codes)).toEqual(new Set(["LEASE_SUBSET_VIOLATION"]));
    const within = [["/src/**/*", "/x/*.md"], ["/**/a*.txt"], ["/a/b/?"]].map((patterns) => ({
      lease: { "fs.read": patterns },
    }));
    expect((await tryAll(within, { lease })).codes).toEqual(["none", "none", "none"]);
  });

  it("[attack-missing-namespace] by what it does not have at all", async () => {
    const missing = [{ "fs.write": ["/a/**"] }, { "net.fetch": ["https://a.example/"] }, { "x-acme.db": ["users"] }];
    const { codes, children } = await tryAll(missing.map((lease) => ({ lease })));
    expect(new Set(codes)).toEqual(new Set(["LEASE_SUBSET_VIOLATION"]));
    expect(children).toEqual([]);
  });

  it("[attack-later-expiry] by a later expiry than its own, or by none", async () => {
    const expires = Date.UTC(2026, 0, 1, 1);
    const at = (ms: number): DelegateOptions => ({ expiresAt: new Date(expires + ms) });
    const { codes, children } = await tryAll([at(1), at(86_400_000), at(0), at(-1), {}], {
      constraints: { expires_at: new Date(expires).toISOString() },
    });
    expect(codes).toEqual(["LEASE_SUBSET_VIOLATION", "LEASE_SUBSET_VIOLATION", "none", "none", "none"]);
    expect(children.map(({ expiresAt }) => expiresAt)).toEqual([expires, expires - 1, expires]);
  });

  it("[attack-more-than-available] by money that it does not have", async () => {
    const budgets = [{ USD: "1.00000000000000000000000000001" }, { USD: "0.6" }, { USD: "0.41" }, { USD: "0.4" }];
    const { codes, refusals } = await tryAll(budgets.map((budget) => ({ budget })));
    expect(codes).toEqual(["LEASE_SUBSET_VIOLATION", "none", "LEASE_SUBSET_VIOLATION", "none"]);
    expect(refusals).toEqual(["LEASE_SUBSET_VIOLATION", "LEASE_SUBSET_VIOLATION"]);
  });

  it("[attack-agent-not-granted] by agents that its lease does not name", async () => {
    const codes: string[] = [];
    const { arena, job } = await under(async (ctx) => {
      for (const agent of ["other", "other@1.0.0", "hanging", "attacking@1.0.0 ", "nobody"])
        codes.push(await codeOf(() => ctx.delegate(agent)));
      return forever();
    });
    await using _ = arena;
    await arena.until(() => codes.length === 5);
    expect(codes.slice(0, 3)).toEqual(["PERMISSION_DENIED", "PERMISSION_DENIED", "none"]);
    expect(codes.slice(3)).not.toContain("none");
    expect((await arena.children(job)).map(({ agent }) => agent)).toEqual(["hanging"]);
  });

  it("[attack-raw-delegate] by a `delegate` event written by hand", async () => {
    const codes: string[] = [];
    const { arena, job } = await under(async (ctx) => {
      const body = { delegate_id: "del_1", child_job_id: "job_1", agent: "other@1.0.0", lease: {} };
      for (const kind of ["delegate", "x-a.delegate\n", "DELEGATE"])
        codes.push(await codeOf(() => ctx.emit(kind as `x-${string}`, body)));
    });
    await using _ = arena;
    await arena.until(() => codes.length === 3);
    expect(new Set(codes)).toEqual(new Set(["INVALID_REQUEST"]));
    expect((await arena.log(job)).map(({ kind }) => kind)).toEqual(["terminal"]);
  });

  it("[attack-omitted-model-use] by leaving out which models it may use", async () => {
    const codes: string[] = [];
    const { arena } = await under((ctx) => ctx.delegate("attacking", {}, { lease: {} }), {
      agents: {
        async hanging(ctx) {
          for (const model of ["acme/maxi", "acme/mini"]) codes.push(await codeOf(() => ctx.assertModelAllowed(model)));
        },
        async attacking(ctx) {
          for (const lease of [{}, { "tool.call": ["work-1"] }, undefined])
            await (await ctx.delegate("hanging", {}, { lease })).result();
        },
      },
    });
    await using _ = arena;
    await arena.until(() => codes.length === 6);
    expect(codes).toEqual(Array(3).fill(["PERMISSION_DENIED", "none"]).flat());
  });

  it("[attack-deep-tree] by delegating to itself without end", async () => {
    const lease = { "agent.delegate": ["attacking@1.0.0", "hanging"] };
    const refused: string[] = [];
    const { arena } = await under(
      async (ctx) => {
        for (;;) {
          const code = await codeOf(() => ctx.delegate("attacking", {}, { lease }));
          if (code === "none") continue;
          refused.push(code);
          return forever();
        }
      },
      { limits: { maxDelegationDepth: 3, maxLiveChildren: 4, maxTreeJobs: 50 } },
    );
    await using _ = arena;
    await arena.until(() => refused.length === 50);
    const { jobs } = await arena.store.listJobs({ principals: ["t/ada"], limit: 10_000 });
    expect(jobs).toHaveLength(50);
    expect(new Set(refused)).toEqual(new Set(["INTERNAL_ERROR"]));
  });

  it("[attack-wider-after-crash] by asking again under its key, in a later attempt, for more", async () => {
    const codes: string[] = [];
    const { arena, job } = await under(
      async (ctx) => {
        const lease = { "tool.call": [ctx.attempt === 1 ? "work-1" : "**"] };
        codes.push(await codeOf(() => ctx.delegate("hanging", {}, { key: "one", lease })));
        return forever();
      },
      { persistent: ["attacking", "hanging"] },
    );
    await using _ = arena;
    await arena.until(() => codes.length === 1);
    await arena.crash();
    await arena.world.advance(10_000);
    expect(codes).toEqual(["none", "DUPLICATE_KEY"]);
    const [child] = await arena.children(job);
    expect(JSON.parse(child?.lease ?? "").grants["tool.call"]).toEqual(["work-1"]);
  });
});
