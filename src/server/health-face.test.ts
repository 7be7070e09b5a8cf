import { afterEach, expect, it } from "vitest";
import { defineAgent } from "../agents/define-agent.ts";
import { createMemoryStore } from "../stores/memory/memory-store.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { createFaultyStore } from "../testing/faulty-store.ts";
import { createRuntime } from "./runtime.ts";
import { FAILING_MS, StoreHealth } from "./store-health.ts";
import { ask } from "./test-entrance.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function start() {
  const finish = Promise.withResolvers<void>();
  const store = createFaultyStore(createMemoryStore());
  const waiting = defineAgent({ name: "waiting", version: "1.0.0", run: () => finish.promise });
  const echo = defineAgent({ name: "echo", version: "1.0.0", run: async (_, input) => input });
  const runtime = await createRuntime({ agents: [waiting, echo], store });
  cleanUps.push(() => {
    finish.resolve();
    return runtime.close();
  });
  const { port } = await runtime.listen({ port: 0 });
  const read = async (path: string, options = {}) => {
    const { status, body } = await ask(`http://127.0.0.1:${port}${path}`, options);
    return [status, body === "" ? body : JSON.parse(body)];
  };
  return { runtime, store, finish, port, read };
}

it("tells live from ready while jobs come to their ends, and lets nobody new in", async () => {
  const { runtime, finish, port, read } = await start();
  await runtime.submit("waiting", null);
  expect(await read("/readyz")).toEqual([200, { status: "ready" }]);

  const closed = runtime.close({ drainMs: 60_000 });
  expect(await read("/healthz")).toEqual([200, { status: "ok" }]);
  expect(await read("/readyz")).toEqual([503, { status: "not_ready", reason: "draining" }]);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/arcp`);
  const failed = await new Promise<string>((resolve) => {
    socket.addEventListener("error", () => resolve("refused"));
    socket.addEventListener("open", () => resolve("let in"));
  });
  expect(failed).toBe("refused");

  finish.resolve();
  await closed;
  await expect(read("/readyz")).rejects.toThrow("ECONNREFUSED");
});

it("is not ready while the store takes nothing, and is again once it does", async () => {
  const { runtime, store, read } = await start();
  store.fillDisk();
  await runtime.submit("echo", null).catch(() => {});
  expect(await read("/readyz")).toEqual([503, { status: "not_ready", reason: "store_failing" }]);
  expect(await read("/healthz")).toEqual([200, { status: "ok" }]);
  store.freeDisk();
  await (await runtime.submit("echo", null)).result();
  expect(await read("/readyz")).toEqual([200, { status: "ready" }]);
});

it("takes a failing store for whole again after a while, so that somebody tries", async () => {
  const world = createFakeWorld();
  const listeners: Record<string, (event: never) => void> = {};
  const health = new StoreHealth(world.clock);
  health.watch({
    on(name, listener) {
      listeners[name] = listener;
      return () => {};
    },
  });
  listeners["commit:failed"]?.({ error: new Error("full") } as never);
  await world.advance(FAILING_MS - 1);
  expect(health.isFailing()).toBe(true);
  await world.advance(1);
  expect(health.isFailing()).toBe(false);
});

it("takes GET and HEAD only", async () => {
  const { read } = await start();
  expect((await read("/readyz", { method: "HEAD" }))[0]).toBe(200);
  expect((await read("/readyz", { method: "POST" }))[0]).toBe(405);
});
