/** The main path over memory: submit, events, result, drop, resume, restart. */
import { describe, expect, it } from "vitest";
import { defineAgent } from "../agents/define-agent.ts";
import { createRuntime } from "../server/runtime.ts";
import { createMemoryStore } from "../stores/memory/memory-store.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { createMemoryConnectionPair } from "../transports/memory.ts";

const echo = defineAgent({ name: "echo", version: "1.0.0", run: async (ctx, input) => { await ctx.log("info", "hi"); return input; } });

describe("main path", () => {
  it("submits and streams", async () => {
    const world = createFakeWorld();
    const runtime = await createRuntime({
      agents: [echo], store: createMemoryStore(), world,
      authenticator: { authenticate: async () => ({ id: "a", tenant: "t", roles: ["user"] }) },
    });
    const pair = createMemoryConnectionPair({ timers: world.timers });
    runtime.accept(pair.server);
    pair.client.send(JSON.stringify({ arcp: "1.1", id: "1", type: "session.hello", payload: { auth: { token: "x" }, capabilities: { features: ["progress"] } } }));
    await world.settle();
    pair.client.send(JSON.stringify({ arcp: "1.1", id: "2", type: "job.submit", payload: { agent: "echo", input: { a: 1 } } }));
    await world.settle();
    const frames = pair.client.take().map((text) => JSON.parse(text));
    console.log(JSON.stringify(frames, null, 1));
    expect(frames.map((frame) => frame.type)).toEqual(["session.welcome", "job.accepted", "job.event", "job.result"]);
    await runtime.close();
  });
});
