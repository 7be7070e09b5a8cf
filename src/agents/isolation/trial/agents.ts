import { defineAgent, AgentError } from "leasehold";
export const hello = defineAgent({
  name: "hello", version: "1.0.0", isolate: "process", module: import.meta.url,
  async run(ctx, input) {
    await ctx.log("hi from " + process.pid);
    const x = await ctx.step("a", () => 42);
    const t = await ctx.tool("add", { a: 1 }, () => 3);
    const a = await ctx.artifact({ contentType: "text/plain", data: "hello artifact" });
    let files; try { files = await ctx.fs.list("/tmp/iso/granted"); } catch (e) { files = String(e); }
    await ctx.metric({ name: "cost.x", value: 0.25, unit: "USD" });
    console.log("to stdout"); console.error("to stderr");
    return { input, x, t, a, files, env: process.env, ppid: process.ppid, budget: ctx.budget?.view?.() };
  },
});
export const streamer = defineAgent({
  name: "streamer", version: "1.0.0", isolate: "process", module: import.meta.url,
  async run(ctx) { const s = ctx.streamResult(); for (let i = 0; i < 5; i++) await s.write("piece " + i + "\n"); return s.end({ summary: "done" }); },
});
export const thrower = defineAgent({
  name: "thrower", version: "1.0.0", isolate: "process", module: import.meta.url,
  async run() { throw new AgentError({ code: "PERMISSION_DENIED", message: "no", details: { a: 1 } }); },
});
