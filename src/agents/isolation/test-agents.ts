/** Isolated agents for this folder's tests: honest ones. Loaded by the tests, and again by the processes they run in. */
import { AgentError, defineAgent } from "leasehold";
import { z } from "zod";

const isolated = { version: "1.0.0", isolate: "process", module: import.meta.url } as const;

/** Uses everything a context has that stands on its host. */
export const thorough = defineAgent({
  ...isolated,
  name: "thorough",
  async run(ctx, input) {
    await ctx.log("warn", "begun");
    await ctx.thought("hm");
    await ctx.status("working", "on it");
    await ctx.progress({ current: 1, total: 2 });
    await ctx.emit("x-test.kind", { some: "thing" });
    await ctx.metric({ name: "lines", value: 3 });
    await ctx.metric({ name: "cost.tokens", value: 0.25, unit: "USD" });
    const step = await ctx.step("once", ({ key }) => ({ key }));
    const sum = await ctx.tool("add", { of: [1, 2] }, ({ callId }) => ({ callId, sum: 3 }));
    const artifact = await ctx.artifact({ name: "a.txt", contentType: "text/plain", data: "hello" });
    await ctx.flush();
    const { jobId, agent, attempt, traceId, traceparent, lease } = ctx;
    return { input, step, sum: sum.sum, artifact, ctx: { jobId, agent, attempt, traceId, traceparent, lease } };
  },
});

/** `when` is a Date for `run`, and text in what is sent. */
export const dated = defineAgent({
  ...isolated,
  name: "dated",
  input: z.object({ when: z.string().transform((text) => new Date(text)) }),
  output: z.object({ year: z.number() }),
  run: (_ctx, { when }) => ({ year: when.getUTCFullYear() }),
});

export const streaming = defineAgent({
  ...isolated,
  name: "streaming",
  async run(ctx) {
    const stream = ctx.streamResult();
    for (let index = 0; index < 3; index++) await stream.write(`${index};`);
    return await stream.end({ summary: "three" });
  },
});

export const failing = defineAgent({
  ...isolated,
  name: "failing",
  async run(_ctx, how) {
    if (how === "coded") throw new AgentError({ code: "PERMISSION_DENIED", message: "not today", details: { day: 1 } });
    if (how === "rejection") void Promise.reject(new Error("dropped"));
    if (how === "later") queueMicrotask(() => JSON.parse("{"));
    if (how === "exit") process.exit(3);
    if (how === "plain") throw new TypeError("plainly wrong");
    if (how === "cycle") {
      const cycle: { self?: unknown } = {};
      cycle.self = cycle;
      return cycle;
    }
    await new Promise(() => {});
    return undefined;
  },
});

/** Emits as fast as it can. */
export const chatty = defineAgent({
  ...isolated,
  name: "chatty",
  async run(ctx, count) {
    for (let index = 0; index < Number(count); index++) await ctx.log(`line ${index}`);
    return count;
  },
});

export const files = defineAgent({
  ...isolated,
  name: "files",
  async run(ctx, directory) {
    const { fs } = ctx;
    await fs.mkdir(`${directory}/made`);
    await fs.write(`${directory}/made/a`, "x".repeat(600_000));
    await fs.append(`${directory}/made/a`, "yz");
    const text = await fs.readText(`${directory}/made/a`);
    const listed = await fs.list(`${directory}/made`);
    const facts = await fs.stat(`${directory}/made/a`);
    const missing = await fs.read(`${directory}/made/b`).catch((error: NodeJS.ErrnoException) => error.code);
    await fs.remove(`${directory}/made/a`);
    const gone = (await fs.stat(`${directory}/made/a`)) === undefined;
    return { length: text.length, end: text.slice(-2), listed, size: facts?.size, missing, gone };
  },
});

/** Does what it does until it is told to stop, and says so. */
export const obedient = defineAgent({
  ...isolated,
  name: "obedient",
  async run(ctx) {
    await ctx.log(String(process.pid));
    await ctx.flush();
    // It may be aborted by now, and then no event comes.
    if (!ctx.signal.aborted) await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
    return "stopped";
  },
});

/** Says its process id, and never gives back its thread. */
export const stuck = defineAgent({
  ...isolated,
  name: "stuck",
  async run(ctx) {
    await ctx.log(String(process.pid));
    await ctx.flush();
    for (;;);
  },
});

export const fetching = defineAgent({
  ...isolated,
  name: "fetching",
  run: async (ctx, url) => await (await ctx.fetch(String(url))).text(),
});

export const parent = defineAgent({
  ...isolated,
  name: "parent",
  async run(ctx) {
    const child = await ctx.delegate(dated, { when: "2026-05-13" }, { lease: {} });
    return { agent: child.agent, result: await child.result() };
  },
});

/** In this module under another name: the definition that is registered has none here. */
export const renamed = defineAgent({ ...isolated, name: "renamed-since", run: () => 1 });

export const writing = defineAgent({
  ...isolated,
  name: "writing",
  run() {
    console.log("to the output");
    console.error("to the error");
    return process.env;
  },
});

/** Without schemas: those that count are of a definition elsewhere. */
export const silent = defineAgent({ ...isolated, name: "silent", run: () => undefined });
export const undated = defineAgent({ ...isolated, name: "undated", run: (_ctx, input) => input });
