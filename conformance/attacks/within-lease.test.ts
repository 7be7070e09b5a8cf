/** Ways out of a lease that lead through `ctx`; those through the file system and the network are tried beside them. */
import { describe, expect, it } from "vitest";
import type { AgentContext } from "../../src/agents/agent-context.ts";
import { Arena, codeOf } from "./arena.ts";

/** Of one tool alone. */
const LEASE = { "tool.call": ["granted"], "fs.read": ["/granted/**"], "model.use": ["acme/mini"] };

const started: string[] = [];
const tool = (ctx: AgentContext, name: string) => ctx.tool(name, {}, () => void started.push(name));

/** Runs `attack` as an agent under `LEASE`. Returns the job, which is over or waits for time to pass. */
async function under(
  attack: (ctx: AgentContext) => unknown,
  more: object = {},
): Promise<{ arena: Arena; job: string }> {
  started.length = 0;
  const arena = await Arena.open({ agents: { attacking: attack } });
  const client = await arena.connect();
  const { job, code } = await client.submit("attacking", { lease: LEASE, ...more });
  expect(code).toBeUndefined();
  return { arena, job };
}

describe("an agent does only what its lease covers [law-within-lease]", () => {
  it("[attack-no-lease] and nothing at all without one", async () => {
    const codes: string[] = [];
    const { arena } = await under(
      async (ctx) => {
        const deeds = [
          () => tool(ctx, "granted"),
          () => ctx.fs.readText("/etc/passwd"),
          () => ctx.fs.write("/tmp/leasehold-attack", "x"),
          () => ctx.fs.list("/"),
          () => ctx.fetch("http://127.0.0.1:1/"),
          () => ctx.delegate("attacking"),
          () => ctx.authorize("x-acme.db", "users"),
          () => ctx.assertModelAllowed("acme/mini"),
        ];
        for (const deed of deeds) codes.push(await codeOf(deed));
      },
      { lease: undefined },
    );
    await using _ = arena;
    await arena.until(() => codes.length === 8);
    expect(new Set(codes)).toEqual(new Set(["PERMISSION_DENIED"]));
    expect(started).toEqual([]);
  });

  it("[attack-mutated-lease] whatever it writes into what it sees of it", async () => {
    const codes: string[] = [];
    const { arena, job } = await under(async (ctx) => {
      const grants = ctx.lease?.grants as Record<string, string[]>;
      await codeOf(() => grants["tool.call"]?.push("**"));
      await codeOf(() => Object.assign(grants, { "tool.call": ["**"], "fs.read": ["**"] }));
      await codeOf(() => Object.assign(ctx.lease ?? {}, { expiresAt: null, budget: null }));
      codes.push(await codeOf(() => tool(ctx, "other")), await codeOf(() => ctx.authorize("fs.read", "/etc/passwd")));
      codes.push(await codeOf(() => ctx.delegate("attacking", {}, { lease: { "tool.call": ["other"] } })));
      codes.push(await codeOf(() => tool(ctx, "granted")));
    });
    await using _ = arena;
    await arena.until(() => codes.length === 4);
    expect(codes).toEqual(["PERMISSION_DENIED", "PERMISSION_DENIED", "PERMISSION_DENIED", "none"]);
    expect(started).toEqual(["granted"]);
    expect(JSON.parse((await arena.job(job)).lease ?? "").grants).toEqual(LEASE);
  });

  it("[attack-tool-reentrancy] within a tool as without", async () => {
    const { arena, job } = await under((ctx) =>
      ctx.tool("granted", {}, async () => {
        await tool(ctx, "granted");
        return codeOf(() => tool(ctx, "other"));
      }),
    );
    await using _ = arena;
    await arena.world.advance(1);
    expect(started).toEqual(["granted"]);
    expect((await arena.log(job)).at(-1)?.body.result).toBe("PERMISSION_DENIED");
    expect(await arena.refusals(job)).toEqual(["PERMISSION_DENIED"]);
  });

  it("[attack-swapped-name] by whatever name it calls for it", async () => {
    const codes: string[] = [];
    const { arena, job } = await under(async (ctx) => {
      let reads = 0;
      const names = [
        { toString: () => (reads++ === 0 ? "granted" : "other") },
        new String("granted"),
        ["granted"],
        "granted\n",
        "Granted",
        "granted\u0000",
        "",
      ] as unknown as string[];
      for (const name of names) codes.push(await codeOf(() => tool(ctx, name)));
    });
    await using _ = arena;
    await arena.world.advance(1);
    expect(codes).toHaveLength(7);
    expect(codes.filter((code) => code !== "INVALID_REQUEST" && code !== "PERMISSION_DENIED")).toEqual([]);
    expect(started).toEqual([]);
    expect(await arena.refusals(job)).toEqual(["PERMISSION_DENIED", "PERMISSION_DENIED", "PERMISSION_DENIED"]);
  });

  it("[attack-expiry-moment] from the very millisecond of its expiry on, records under way included", async () => {
    const codes: string[] = [];
    await using arena = await Arena.open({
      agents: {
        async attacking(ctx) {
          const at = (ms: number) => new Promise<void>((resolve) => void arena.world.timers.after(ms, resolve));
          await at(999);
          codes.push(await codeOf(() => tool(ctx, "granted")));
          arena.store.hold();
          const waiting = codeOf(() => tool(ctx, "granted"));
          await at(1);
          arena.store.release();
          codes.push(await waiting, await codeOf(() => tool(ctx, "granted")));
        },
      },
    });
    started.length = 0;
    const client = await arena.connect();
    const expires = new Date(arena.world.clock.now() + 1_000).toISOString();
    await client.submit("attacking", { lease: LEASE, constraints: { expires_at: expires } });
    await arena.world.advance(1_001);
    expect(codes).toEqual(["none", "LEASE_EXPIRED", "LEASE_EXPIRED"]);
    expect(started).toEqual(["granted"]);
  });

  it("[attack-expiry-caught] and is not called a success when it caught that it had expired", async () => {
    await using arena = await Arena.open({
      agents: {
        async attacking(ctx) {
          await new Promise<void>((resolve) => void arena.world.timers.after(1_000, resolve));
          await tool(ctx, "granted").catch(() => {});
          return "as if nothing had been";
        },
      },
    });
    const client = await arena.connect();
    const expires = new Date(arena.world.clock.now() + 1_000).toISOString();
    const { job } = await client.submit("attacking", { lease: LEASE, constraints: { expires_at: expires } });
    await arena.world.advance(1_100);
    expect((await arena.log(job)).at(-1)?.body).toMatchObject({ final_status: "error", code: "LEASE_EXPIRED" });
  });

  it.each([
    [{ expiresAt: "2030-01-01T00:00:00Z" }],
    [{ Expires_At: "2030-01-01T00:00:00Z" }],
    [{ max_budgets: "USD:1" }],
    [{ constructor: "USD:1" }],
  ])("[attack-dropped-bound] or is not begun, where %j would bound nothing", async (constraints) => {
    await using arena = await Arena.open({ agents: { attacking: () => "begun" } });
    const client = await arena.connect();
    const { code, frame } = await client.submit("attacking", { lease: LEASE, constraints });
    expect(code).toBe("INVALID_REQUEST");
    expect(frame.payload.details).toEqual({ field: `payload.lease_constraints.${Object.keys(constraints)[0]}` });
  });

  it.each(["lease", "constraints"] as const)("[attack-proto-lease] whatever prototypes its %s names", async (part) => {
    await using arena = await Arena.open({ agents: { attacking: () => "begun" } });
    const client = await arena.connect();
    for (const name of ["__proto__", "constructor", "prototype", "toString"]) {
      const polluting = JSON.parse(`{${JSON.stringify(name)}:["**"]}`) as object;
      expect((await client.submit("attacking", { [part]: polluting })).code).toBe("INVALID_REQUEST");
    }
    const deep = JSON.parse('{"tool.call":["a"],"x-a.b":[{"__proto__":{"polluted":true}}]}') as object;
    expect((await client.submit("attacking", { lease: deep })).code).toBe("INVALID_REQUEST");
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it("[attack-same-key-wider] and gets no more by asking again under its key", async () => {
    await using arena = await Arena.open({ agents: { attacking: () => new Promise(() => {}) } });
    const client = await arena.connect();
    const { job } = await client.submit("attacking", { lease: LEASE, key: "one" });
    const wider = await client.submit("attacking", { lease: { ...LEASE, "tool.call": ["**"] }, key: "one" });
    expect(wider.code).toBe("DUPLICATE_KEY");
    expect(JSON.parse((await arena.job(job)).lease ?? "").grants).toEqual(LEASE);
  });

  it("[attack-lease-after-crash] in its next attempt as in its first", async () => {
    const codes: string[] = [];
    await using arena = await Arena.open({
      agents: {
        async attacking(ctx) {
          if (ctx.attempt === 1) return new Promise(() => {});
          codes.push(await codeOf(() => tool(ctx, "other")), await codeOf(() => tool(ctx, "granted")));
        },
      },
      persistent: ["attacking"],
    });
    started.length = 0;
    const client = await arena.connect();
    await client.submit("attacking", { lease: LEASE });
    await arena.crash();
    await arena.world.advance(10_000);
    expect(codes).toEqual(["PERMISSION_DENIED", "none"]);
    expect(started).toEqual(["granted"]);
  });
});
