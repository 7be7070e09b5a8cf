/** A lease that expires in the middle of the work, and what a client sees of it: `npm run example lease-expiry`. */
import { createRuntime } from "leasehold";
import { createMemoryStore } from "leasehold/testing";
import { watchman } from "./agents.ts";

const LEASE_MS = 1_500;
const PAUSE_MS = 400;

const runtime = await createRuntime({ agents: [watchman], store: createMemoryStore() });
try {
  const expiresAt = new Date(Date.now() + LEASE_MS);
  const job = await runtime.submit("watchman", { pauseMs: PAUSE_MS }, { lease: { "tool.call": ["look"] }, expiresAt });
  console.log(`${job.agent} may look around until ${job.expiresAt}`);
  for await (const { kind, body } of job.events()) {
    if (kind === "tool_call") console.log(`${body.tool} ${JSON.stringify(body.args)}`);
    if (kind === "tool_result") console.log(body.error === undefined ? body.result : `refused: ${body.error.code}`);
    if (kind === "log") console.log(`${body.level}: ${body.message}`);
  }
  const failure = await job.result().catch(({ code, message, retryable }) => ({ code, message, retryable }));
  console.log(job.status, failure);
} finally {
  await runtime.close();
}
