import { createRuntime } from "leasehold";
import { createMemoryStore } from "leasehold/testing";
import * as agents from "./agents.ts";
const log: any = Object.fromEntries(["debug","info","warn","error"].map((l) => [l, (f: object, m: string) => console.log(l, m, JSON.stringify(f).slice(0, 300))]));
const runtime = await createRuntime({ agents: Object.values(agents), store: createMemoryStore(), log });
for (const [name, input] of [["hello", { q: 1 }], ["hello", 2], ["streamer", null], ["thrower", null]] as const) {
  const t0 = performance.now();
  const job = await runtime.submit(name, input, { lease: { "tool.call": ["*"], "fs.read": ["/tmp/iso/granted/**"] }, budget: { USD: "1" } } as any);
  try { for await (const e of job.events()) console.log("  event", e.kind, JSON.stringify((e as any).body).slice(0, 200), Math.round(performance.now() - t0)); console.log("→", JSON.stringify(await job.result()), Math.round(performance.now() - t0), "ms"); } catch (e: any) { console.log("→ threw", e.code, e.message, e.details); }
}
await runtime.close();
console.log("closed");
