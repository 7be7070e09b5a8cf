/** A question to a model service that counts, under a budget, and what was said and paid: `npm run example chat-agent`. */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createRuntime } from "leasehold";
import { createMemoryStore } from "leasehold/testing";

const here = (name: string): string => join(import.meta.dirname, name);
const service = spawn(process.execPath, [here("server.ts")], {
  env: { PORT: "0" },
  stdio: ["ignore", "pipe", "inherit"],
});
try {
  for await (const line of createInterface(service.stdout)) {
    const [, port] = /^port: (\d+)$/.exec(line) ?? [];
    if (port === undefined) continue;
    // Read by the agent's module, which is why that is loaded here.
    process.env.CHAT_URL = `http://127.0.0.1:${port}/v1`;
    break;
  }
  const { chat } = await import("./agent.ts");
  const prices = JSON.parse(await readFile(here("prices.json"), "utf8"));
  const runtime = await createRuntime({ agents: [chat], prices, store: createMemoryStore() });
  const lease = { "model.use": ["local/small"], "tool.call": ["look_up"] };
  try {
    for (const USD of ["0.50", "0.004"]) {
      const job = await runtime.submit("chat", { question: "What are orchids?" }, { lease, budget: { USD } });
      console.log(`${job.agent} may use local/small and look_up, and spend ${USD} USD`);
      for await (const { kind, body } of job.events()) {
        if (kind === "tool_call") console.log(`  ${body.tool}`);
        if (kind === "tool_result" && body.error !== undefined) console.log(`  refused: ${body.error.code}`);
        if (kind === "metric") console.log(`  ${body.name} ${body.value} ${body.unit}`);
      }
      console.log(await job.result().catch(({ code, message }) => `${code}: ${message}`), "\n");
    }
  } finally {
    await runtime.close();
  }
} finally {
  service.kill();
}
