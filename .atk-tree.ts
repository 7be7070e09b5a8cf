import { createRuntime, defineAgent } from "leasehold";
import { mkdtempSync, rmSync } from "node:fs";
const data = mkdtempSync("/tmp/atk/data-");
let started = 0; let chatty = process.argv[2] === "chatty";
let go = Promise.withResolvers<void>();
const leaf = defineAgent({ name: "leaf", version: "1.0.0", restart: "always", async run(ctx) {
  started++;
  if (chatty) { const text = "x".repeat(4000); while (!ctx.signal.aborted) { await ctx.log("info", text); } }
  await new Promise((r) => ctx.signal.addEventListener("abort", r)); } });
const mid = defineAgent({ name: "mid", version: "1.0.0", restart: "always", async run(ctx, n) {
  started++;
  await Promise.all(Array.from({ length: n as number }, () => ctx.delegate("leaf", null, { budget: { USD: "0.01" } })));
  await new Promise((r) => ctx.signal.addEventListener("abort", r)); } });
const top = defineAgent({ name: "top", version: "1.0.0", restart: "always", async run(ctx, n) {
  started++;
  await Promise.all(Array.from({ length: 15 }, () => ctx.delegate("mid", n, { lease: { "agent.delegate": ["*"] }, budget: { USD: "1" } })));
  await new Promise((r) => ctx.signal.addEventListener("abort", r)); } });
import inspector from "node:inspector/promises"; import { writeFileSync } from "node:fs";
const cpu = () => { const u = process.threadCpuUsage(); return (u.user + u.system) / 1000; };
let last = cpu(); let worst = 0; let sum = 0;
const tick = () => { const now = cpu(); sum += now - last; if (now - last > worst) worst = now - last; last = now; setImmediate(tick); };
setImmediate(tick);
const phase = (name: string) => { console.log(name, "worst turn cpu ms", worst.toFixed(1)); worst = 0; };
const wait = (ms: number) => new Promise((r) => setTimeout(r, ms));
const make = () => createRuntime({ agents: [leaf, mid, top], data });
let runtime = await make();
worst = 0; let t0 = performance.now();
const per = Number(process.argv[3] ?? 64);
const job = await runtime.submit("top", per, { lease: { "agent.delegate": ["*"] }, budget: { USD: "100" } });
while (started < 1 + 15 + 15 * per) { await wait(10); if (performance.now() - t0 > 60000) break; }
console.log("started", started, (performance.now() - t0).toFixed(0), "ms");
phase("delegate");
if (chatty) { await wait(3000); phase("chatty"); }
if (process.argv[4] === "crash") {
  t0 = performance.now();
  await runtime.close(); phase("close"); started = 0;
  worst = 0; last = performance.now();
  runtime = await make(); console.log("boot", (performance.now() - t0).toFixed(0)); phase("recover");
  await wait(1500); console.log("started", started); phase("after");
  await runtime.close(); rmSync(data, { recursive: true }); process.exit();
}
const insp = new inspector.Session(); insp.connect(); await insp.post("Profiler.enable"); await insp.post("Profiler.setSamplingInterval",{interval:200}); await insp.post("Profiler.start"); await wait(50); worst=0;
t0 = performance.now();
await job.cancel(); 
await job.result().catch((e: any) => console.log(e.code));
console.log("cancelled", (performance.now() - t0).toFixed(0), "ms");
phase("cancel");
await wait(200); phase("after"); writeFileSync("/tmp/atk/cancel.cpuprofile", JSON.stringify((await insp.post("Profiler.stop")).profile));
await runtime.close();
rmSync(data, { recursive: true });
process.exit();
