import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";

/** In a process of its own, since these failures would otherwise be the test runner's. Prints a JSON line for each. */
async function inChild(script: string): Promise<{ lines: Record<string, unknown>[]; code: number | null }> {
  const module = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
  const prelude = `
    import { EventEmitter } from "node:events";
    import { readFile } from "node:fs";
    import { defineAgent } from ${module("./define-agent.ts")};
    import { createRunnableAgent } from ${module("./runnable-agent.ts")};
    import { installStrayFailureHandler } from ${module("./stray-failures.ts")};
    import { createTestHost } from ${module("./test-host.ts")};
    import { createFakeWorld } from ${module("../testing/fake-world.ts")};
    const say = (line) => console.log(JSON.stringify(line));
    const world = createFakeWorld();
    const start = (name, run, host = createTestHost()) =>
      createRunnableAgent(defineAgent({ name, version: "1", run }), world).run(host, null).then(
        (outcome) => say({ name, ...outcome }),
        (error) => say({ name, code: error.code, message: error.message }),
      );
    const forever = new Promise(() => {});
    const uninstall = installStrayFailureHandler({
      onUnowned: (error, origin) => say({ unowned: error.message, origin }),
      onLate: (error, job) => say({ late: error.message, job }),
    });
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", prelude + script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "close") as Promise<[number | null]>]);
  const lines = output.split("\n").filter((line) => line !== "");
  return { lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>), code };
}

describe("a stray failure", () => {
  it("ends the job it came out of, and no other, wherever in the agent it began", async () => {
    const { lines, code } = await inChild(`
      const external = Promise.withResolvers();
      const strays = {
        rejection: () => { Promise.reject(new Error("rejection")); },
        async: () => { (async () => { await 1; throw new Error("async"); })(); },
        timer: () => { setTimeout(() => { throw new Error("timer"); }, 1); },
        "late-rejection": () => { setTimeout(() => Promise.reject(new Error("late-rejection")), 1); },
        immediate: () => { setImmediate(() => { throw new Error("immediate"); }); },
        tick: () => { process.nextTick(() => { throw new Error("tick"); }); },
        microtask: () => { queueMicrotask(() => { throw new Error("microtask"); }); },
        file: () => { readFile("/", () => { throw new Error("file"); }); },
        emitter: () => { const own = new EventEmitter(); setTimeout(() => own.emit("error", new Error("emitter")), 1); },
        continuation: () => { external.promise.then(() => { throw new Error("continuation"); }); },
        step: (ctx) => { ctx.step("one", () => { throw new Error("step"); }); },
        artifact: (ctx) => {
          async function* data() { yield "a"; Promise.reject(new Error("artifact")); yield "b"; }
          ctx.artifact({ contentType: "text/plain", data: data() });
        },
        "artifact-refused": (ctx) => {
          async function* data() { throw new Error("artifact-refused"); }
          ctx.artifact({ contentType: "text/plain", data: data() });
        },
      };
      const quiet = Promise.withResolvers();
      const jobs = Object.entries(strays).map(([name, stray]) => start(name, (ctx) => { stray(ctx); return forever; }));
      const bystander = start("bystander", async () => { await quiet.promise; return "unharmed"; });
      external.resolve();
      await Promise.all(jobs);
      quiet.resolve();
      await bystander;
      uninstall();
    `);
    const names = [
      "rejection",
      "async",
      "timer",
      "late-rejection",
      "immediate",
      "tick",
      "microtask",
      "file",
      "emitter",
      "continuation",
      "step",
      "artifact",
      "artifact-refused",
    ];
    const byName = (a: Record<string, unknown>, b: Record<string, unknown>) =>
      String(a.name) < String(b.name) ? -1 : 1;
    expect(lines.sort(byName)).toEqual(
      [
        ...names.map((name) => ({ name, code: "INTERNAL_ERROR", message: name })),
        { name: "bystander", result: '"unharmed"' },
      ].sort(byName),
    );
    expect(code).toBe(0);
  });

  it("in a listener of ctx.signal belongs to the job, though it is the kernel that aborts", async () => {
    const { lines } = await inChild(`
      const host = createTestHost();
      const job = start("listener", (ctx) => {
        ctx.signal.addEventListener("abort", () => { throw new Error("in a listener"); });
        return forever;
      }, host);
      setImmediate(() => host.stop());
      await job;
      uninstall();
    `);
    expect(lines).toEqual([{ name: "listener", code: "INTERNAL_ERROR", message: "in a listener" }]);
  });

  it("of a job that is over is reported as late, and emissions nobody awaits are none", async () => {
    const { lines } = await inChild(`
      const fired = Promise.withResolvers();
      const host = createTestHost();
      await start("over", () => {
        setTimeout(() => { fired.resolve(); throw new Error("afterwards"); }, 1);
        return 1;
      });
      await start("chatty", async (ctx) => { host.stop(); ctx.log("a"); ctx.progress({ current: 1 }); return 2; }, host);
      await fired.promise;
      setImmediate(uninstall);
    `);
    expect(lines).toEqual([
      { name: "over", result: "1" },
      { name: "chatty", result: "2" },
      { late: "afterwards", job: "job_01TEST" },
    ]);
  });

  it("of what the kernel starts on behalf of an agent is the process's own", async () => {
    const { lines } = await inChild(`
      const tried = Promise.withResolvers();
      const commit = () => { tried.resolve(); throw new Error("in a commit"); };
      const host = { ...createTestHost(), append() { setImmediate(commit); } };
      await start("innocent", async (ctx) => {
        await ctx.log("a");
        await tried.promise;
        return "unharmed";
      }, host);
      uninstall();
    `);
    expect(lines).toEqual([
      { unowned: "in a commit", origin: "exception" },
      { name: "innocent", result: '"unharmed"' },
    ]);
  });

  it("that no job owns goes to whoever owns the process, until the hooks are off", async () => {
    const { lines, code } = await inChild(`
      setImmediate(() => { throw new Error("thrown"); });
      setImmediate(() => { Promise.reject(new Error("rejected")); });
      setImmediate(() => setImmediate(() => { uninstall(); process.exitCode = process.listenerCount("uncaughtException"); }));
    `);
    expect(lines).toEqual([
      { unowned: "thrown", origin: "exception" },
      { unowned: "rejected", origin: "rejection" },
    ]);
    expect(code).toBe(0);
  });
});
