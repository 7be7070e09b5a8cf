/** What an agent is told when it goes beyond its lease: `npm run example lease-violation`. */
import { join } from "node:path";
import { createRuntime } from "leasehold";
import { createMemoryStore } from "leasehold/testing";
import { explorer, guide, smuggler } from "./agents.ts";

const folder = join(import.meta.dirname, "folder");
const runtime = await createRuntime({ agents: [explorer, guide, smuggler], store: createMemoryStore() });
try {
  const job = await runtime.submit(
    "explorer",
    { folder },
    {
      lease: {
        "fs.read": [`${folder}/**`],
        "net.fetch": ["https://example.com/**"],
        "tool.call": ["look"],
        "agent.delegate": ["guide"],
      },
      budget: { USD: "1.00" },
    },
  );
  console.log(`${job.agent} has this lease:`, job.lease, "\n");
  const attempts = (await job.result()) as { what: string; outcome: string; details?: object }[];
  for (const { what, outcome, details } of attempts) {
    console.log(`${what}: ${outcome}`);
    if (details !== undefined) console.log(`  ${JSON.stringify(details)}`);
  }

  let refusals = 0;
  for await (const { kind, body } of job.events())
    if (kind === "tool_result" && body.error !== undefined) refusals += 1;
  console.log(`\n${refusals} refusals are on the job's log, where everyone who watches it sees them`);
} finally {
  await runtime.close();
}
