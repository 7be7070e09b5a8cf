/** A planner with 0.75 USD, three workers, and what each of them got and spent: `npm run example planner-and-workers`. */
import { join } from "node:path";
import { createRuntime } from "leasehold";
import type { Job } from "leasehold/client";
import { createMemoryStore } from "leasehold/testing";
import { planner, worker } from "./agents.ts";

const folder = join(import.meta.dirname, "documents");
const runtime = await createRuntime({ agents: [planner, worker], store: createMemoryStore() });
try {
  const job = await runtime.submit(
    "planner",
    { folder },
    {
      lease: { "fs.read": [`${folder}/**`], "agent.delegate": ["worker"], "tool.call": ["digest"] },
      budget: { USD: "0.75" },
    },
  );
  console.log(`${job.agent} may read ${folder}, and spend ${usd(job.budget.USD)}`);
  const workers: Promise<void>[] = [];
  for await (const child of job.delegated()) workers.push(tell(child, workers.length + 1));
  await Promise.all(workers);

  const { digests, undone } = (await job.result()) as { digests: Record<string, string>; undone: readonly string[] };
  for (const [path, digest] of Object.entries(digests)) console.log(`\n${nameOf(path)}\n  ${digest}`);
  if (undone.length > 0) console.log(`\nnobody could pay for ${undone.map(nameOf).join(", ")}`);
  console.log(`\nleft of the budget: ${usd(job.budget.USD)}`);
} finally {
  await runtime.close();
}

async function tell(child: Job, number: number): Promise<void> {
  const granted = child.budget.USD;
  const texts = (child.lease["fs.read"] ?? []).map(nameOf).join(", ");
  console.log(`worker ${number} may read ${texts}, and spend ${usd(granted)}`);
  const outcome = await child.result().then(
    () => "is done",
    ({ code, message }) => `ended with ${code} (${message})`,
  );
  console.log(`worker ${number} ${outcome}, and spent ${usd((granted ?? 0) - (child.budget.USD ?? 0))}`);
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function usd(amount = 0): string {
  return `${amount.toFixed(3)} USD`;
}
