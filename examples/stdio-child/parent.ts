/**
 * Agents in a child process, spoken to over its standard input and output: no port, no token, no network. Run it where
 * `leasehold` is on the PATH (`npx` sees to that):
 *
 *     npx -c 'node parent.ts'
 */
import { fileURLToPath } from "node:url";
import { connectChild } from "leasehold";

const agents = fileURLToPath(import.meta.resolve("./agents.ts"));

// The child is started here, and again whenever it ends before we do. What it knows is in the data directory: its jobs
// go on, and our session with it.
await using session = await connectChild("leasehold", ["serve", "--stdio", agents, "--data", ".leasehold"], {
  onSpawn: (child) => console.log(`child ${child.pid}`),
});

const job = await session.submit("counter", null);
for await (const event of job.events()) {
  if (event.kind === "progress") console.log(`${event.body.current} of ${event.body.total}`);
}
console.log(`result ${await job.result()}`);
