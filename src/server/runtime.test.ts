import { mkdtemp, readdir, rm } from "node:fs/promises";
import { connect as connectSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { defineAgent } from "../agents/define-agent.ts";
import { connect } from "../client/connect.ts";
import { createMemoryStore } from "../stores/memory/memory-store.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { createFaultyStore } from "../testing/faulty-store.ts";
import { createRuntime, type Runtime } from "./runtime.ts";
import type { RuntimeOptions } from "./runtime-options.ts";

const echo = defineAgent({ name: "echo", version: "1.0.0", run: async (_, input) => input });
const endless = defineAgent({
  name: "endless",
  version: "1.0.0",
  restart: "always",
  run: async (ctx) => {
    while (!ctx.signal.aborted) await ctx.log("x");
  },
});
const PRINCIPAL = { id: "me", tenant: "t", roles: ["user"] } as const;
const authenticator = { authenticate: async () => PRINCIPAL };

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function start(options: Partial<RuntimeOptions> = {}): Promise<Runtime> {
  const runtime = await createRuntime({
    agents: [echo, endless],
    store: createMemoryStore(),
    authenticator,
    ...options,
  });
  cleanUps.push(() => runtime.close());
  return runtime;
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "leasehold-runtime-"));
  cleanUps.push(() => rm(directory, { recursive: true }));
  return directory;
}

it.each([{ maxConnections: 0 }, { heartbeatIntervalSec: 0 }, { limits: { maxFollowsPerSession: 0 } }])(
  "opens nothing when a bound makes no sense: %j",
  async (bounds) => {
    const data = await temporaryDirectory();
    await expect(createRuntime({ agents: [echo], data, authenticator, ...bounds })).rejects.toThrow(RangeError);
    expect(await readdir(data)).toEqual([]);
  },
);

describe("a runtime's port", () => {
  async function listening() {
    const runtime = await start();
    const { url, port } = await runtime.listen({ port: 0 });
    return { runtime, url, port, base: `http://127.0.0.1:${port}` };
  }

  it("is a free one of the loopback when none is named", async () => {
    const { url, port } = await listening();
    expect(port).toBeGreaterThan(0);
    expect(url).toBe(`ws://127.0.0.1:${port}/arcp`);
  });

  it.each(["GET", "HEAD"])("answers %s /healthz with 200", async (method) => {
    const { base } = await listening();
    const response = await fetch(`${base}/healthz?deep=1`, { method });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"]);
    expect(await response.text()).toBe(method === "HEAD" ? "" : '{"status":"ok"}\n');
  });

  it("answers another method on it with 405, and says which are allowed", async () => {
    const { base } = await listening();
    const response = await fetch(`${base}/healthz`, { method: "POST", body: "{}" });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    expect(await response.json()).toMatchObject({ error: { message: expect.any(String) } });
  });

  it.each(["/", "/nothing", "/arcp"])("answers GET %s with 404, and says where sessions are opened", async (path) => {
    const { base } = await listening();
    const response = await fetch(`${base}${path}`);
    expect(response.status).toBe(404);
    expect(JSON.stringify(await response.json())).toMatch(/WebSocket|\/arcp/);
  });

  it("takes sessions, over which a job runs from submission to result [arcp-4-websocket]", async () => {
    const { url } = await listening();
    await using session = await connect(url, { token: "any" });
    const job = await session.submit("echo", { a: 1 });
    expect(await job.result()).toEqual({ a: 1 });
  });

  it("may be one of several", async () => {
    const { runtime, port } = await listening();
    const second = await runtime.listen({ port: 0 });
    expect(second.port).not.toBe(port);
    expect((await fetch(`http://127.0.0.1:${second.port}/healthz`)).status).toBe(200);
  });

  it("is refused when it is taken, and the runtime goes on", async () => {
    const { runtime, port, base } = await listening();
    await expect(runtime.listen({ port })).rejects.toThrow("EADDRINUSE");
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
  });

  it("is closed with the runtime, whatever is connected to it", async () => {
    const { runtime, url, base } = await listening();
    await fetch(`${base}/healthz`);
    const session = await connect(url, { token: "any" });
    cleanUps.push(() => session.close());
    await session.submit("endless", null);
    await runtime.close();
    await expect(fetch(`${base}/healthz`)).rejects.toThrow();
  });
});

describe("a runtime in process", () => {
  it("runs a job for the process it is in", async () => {
    const runtime = await start();
    const job = await runtime.submit("echo", [1, 2]);
    expect(await job.result()).toEqual([1, 2]);
    expect(runtime.unfinished).toBe(0);
  });

  it("rejects a submission that is refused, and nothing else", async () => {
    const runtime = await start();
    await expect(runtime.submit("nobody", null)).rejects.toMatchObject({ code: "AGENT_NOT_AVAILABLE" });
    expect(await (await runtime.submit("echo", 1)).result()).toBe(1);
  });

  it("is not kept out for good by a store that failed once", async () => {
    const store = createFaultyStore(createMemoryStore());
    const runtime = await start({ store });
    store.failNext();
    await expect(runtime.submit("echo", 1)).rejects.toMatchObject({ code: "INTERNAL_ERROR", retryable: true });
    expect(await (await runtime.submit("echo", 2)).result()).toBe(2);
  });
});

describe("closing a runtime", () => {
  it("leaves no timer behind", async () => {
    const world = createFakeWorld();
    const runtime = await start({ world });
    const submitted = runtime.submit("echo", 1);
    await world.settle();
    await submitted;
    const closed = runtime.close();
    await world.settle();
    await closed;
    expect(world.pendingTimers).toBe(0);
  });

  it("takes the handlers it put on the process away", async () => {
    const counts = () => [process.listenerCount("uncaughtException"), process.listenerCount("unhandledRejection")];
    const before = counts();
    const runtime = await start();
    await runtime.close();
    expect(counts()).toEqual(before);
  });

  it("closes the store, once, however often it is asked", async () => {
    const store = createMemoryStore();
    const closed = vi.spyOn(store, "close");
    const runtime = await start({ store });
    await Promise.all([runtime.close(), runtime.close({ drainMs: 5 })]);
    expect(closed).toHaveBeenCalledOnce();
  });

  it("leaves a job that is under way to the next start, also one that never stops emitting", async () => {
    const store = createMemoryStore();
    const runtime = await start({ store });
    const job = await runtime.submit("endless", null);
    await runtime.close();
    const next = await start({ store: createMemoryStore(store.snapshot()) });
    expect(next.unfinished).toBe(1);
    await next.close();
    expect(store.snapshot().tables.jobs.get(job.id)).toMatchObject({ status: "running", attempt: 1 });
  });

  it("waits for jobs to end, as long as it is told to", async () => {
    const world = createFakeWorld();
    const finish = Promise.withResolvers<void>();
    const waiting = defineAgent({ name: "waiting", version: "1.0.0", run: () => finish.promise });
    const store = createMemoryStore();
    const runtime = await start({ world, store, agents: [waiting] });
    const submitted = runtime.submit("waiting", null);
    await world.settle();
    const { id } = await submitted;
    let done = false;
    const closed = runtime.close({ drainMs: 1_000 }).then(() => {
      done = true;
    });
    await world.advance(900);
    expect(done).toBe(false);
    finish.resolve();
    await world.advance(100);
    await closed;
    expect(store.snapshot().tables.jobs.get(id)?.status).toBe("success");
  });
});

describe("starting a runtime", () => {
  it.each([
    ["limits.maxRunningJobs is 0", { limits: { maxRunningJobs: 0 } }],
    ["limits.maxLogBytes is 1.5", { limits: { maxLogBytes: 1.5 } }],
    ["retention.maxAgeSec is -1", { retention: { maxAgeSec: -1 } }],
  ] as const)("is refused when %s, before anything is opened", async (message, options) => {
    const store = createMemoryStore();
    await expect(createRuntime({ agents: [echo], store, authenticator, ...options })).rejects.toThrow(message);
    await expect(store.readJob("any")).resolves.toBeUndefined();
    await store.close();
  });

  it("closes its store when that cannot be read", async () => {
    const store = createMemoryStore();
    const closed = vi.spyOn(store, "close");
    vi.spyOn(store, "claimTrees").mockRejectedValue(new Error("unreadable"));
    await expect(createRuntime({ agents: [echo], store, authenticator })).rejects.toThrow("unreadable");
    expect(closed).toHaveBeenCalledOnce();
  });

  it("is refused on a data directory that is in use, naming the process, which goes on unharmed", async () => {
    const data = await temporaryDirectory();
    const first = await createRuntime({ agents: [echo], data, authenticator });
    cleanUps.push(() => first.close());
    await expect(createRuntime({ agents: [echo], data, authenticator })).rejects.toThrow(String(process.pid));
    expect(await (await first.submit("echo", 1)).result()).toBe(1);
  });

  it("takes up the jobs of the one before on the same directory", async () => {
    const data = await temporaryDirectory();
    const first = await createRuntime({ agents: [endless], data, authenticator });
    await first.submit("endless", null);
    await first.close();
    const next = await createRuntime({ agents: [endless], data, authenticator });
    cleanUps.push(() => next.close());
    expect(next.unfinished).toBe(1);
  });
});

describe("closing a runtime", () => {
  it("does not wait for a connection that never says anything", async () => {
    const runtime = await start();
    const { port } = await runtime.listen({ port: 0 });
    const silent = connectSocket({ host: "127.0.0.1", port });
    cleanUps.push(async () => silent.destroy());
    await new Promise((resolve) => silent.once("connect", resolve));
    silent.write("GET /healthz HTTP/1.1\r\n");
    const gone = new Promise((resolve) => silent.once("close", resolve));
    silent.on("error", () => {});
    await runtime.close();
    await gone;
  });

  it("opens no port afterwards", async () => {
    const runtime = await start();
    await runtime.close();
    await expect(runtime.listen({ port: 0 })).rejects.toThrow("closed");
  });

  it("takes no new job while it drains, and lets the running one end", async () => {
    const release = Promise.withResolvers<void>();
    const patient = defineAgent({
      name: "patient",
      version: "1.0.0",
      run: async () => {
        await release.promise;
        return "done";
      },
    });
    const runtime = await start({ agents: [patient] });
    const job = await runtime.submit("patient", null);
    const closed = runtime.close({ drainMs: 60_000 });
    await expect(runtime.submit("patient", null)).rejects.toMatchObject({ code: "INTERNAL_ERROR", retryable: true });
    release.resolve();
    expect(await job.result()).toBe("done");
    await closed;
  });
});
