/** Ways to bring the process down, or to a halt, by what a lease says or an agent does. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Arena, codeOf } from "./arena.ts";

describe("whatever a client sends for a lease [law-frames-never-crash]", () => {
  it("[attack-lease-of-anything] is granted or refused, and the runtime goes on", async () => {
    await using arena = await Arena.open({ agents: { quick: () => "done" } });
    let sessions = 0;
    const near = fc.dictionary(
      fc.constantFrom("fs.read", "net.fetch", "tool.call", "agent.delegate", "model.use", "cost.budget", "x-a.b"),
      fc.oneof(fc.array(fc.string({ unit: "binary" }), { maxLength: 5 }), fc.jsonValue()),
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.jsonValue(), near), fc.jsonValue(), async (lease, constraints) => {
        // One that sends too much of it is shown the door.
        const client = await arena.connect(`client ${++sessions}`);
        const { code } = await client.submit("quick", { lease, constraints });
        return code === undefined || code === "INVALID_REQUEST";
      }),
    );
    const client = await arena.connect();
    expect((await client.submit("quick")).code).toBeUndefined();
  });

  it("[attack-strange-throws] or an agent throws, its job ends and no other", async () => {
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new Error("not even this");
        },
      },
    );
    const throwing = class extends Error {
      override get message(): string {
        throw new Error("nor this");
      }
    };
    const thrown = [null, undefined, 1n, Symbol("s"), hostile, new throwing(), { code: "PERMISSION_DENIED" }, "text"];
    await using arena = await Arena.open({
      agents: {
        hanging: () => new Promise(() => {}),
        throwing: (_ctx, { index }: { index: number }) => Promise.reject(thrown[index]),
        async calling(ctx, { index }: { index: number }) {
          await ctx.tool("any", {}, () => Promise.reject(thrown[index]));
        },
      },
    });
    const client = await arena.connect();
    const other = await client.submit("hanging");
    for (const agent of ["throwing", "calling"]) {
      for (const index of thrown.keys()) {
        const { job } = await client.submit(agent, { input: { index }, lease: { "tool.call": ["*"] } });
        await arena.world.advance(1);
        expect((await arena.log(job)).at(-1)?.body).toMatchObject({ final_status: "error", code: "INTERNAL_ERROR" });
      }
    }
    expect((await arena.job(other.job)).status).toBe("running");
  });
});

describe("whatever a lease has to be compared with [law-input-never-blocks]", () => {
  it("[attack-long-target] is refused by its length, whoever may do everything", async () => {
    const codes: string[] = [];
    await using arena = await Arena.open({
      agents: {
        async attacking(ctx) {
          const long = "a/".repeat(500_000);
          for (const namespace of ["tool.call", "model.use", "x-acme.db"])
            codes.push(await codeOf(() => ctx.authorize(namespace, long)));
          codes.push(await codeOf(() => ctx.authorize("net.fetch", `https://a.example/${long}`)));
          codes.push(await codeOf(() => ctx.authorize("fs.read", `/${long}`)));
        },
      },
    });
    const client = await arena.connect();
    const lease = { "tool.call": ["*"], "model.use": ["*"], "x-acme.db": ["*"], "net.fetch": ["https://a.example/**"] };
    await client.submit("attacking", { lease: { ...lease, "fs.read": ["/**"] } });
    await arena.until(() => codes.length === 5);
    expect(codes).not.toContain("none");
  });
});
