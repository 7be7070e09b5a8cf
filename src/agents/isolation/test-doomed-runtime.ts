/** For tests: a runtime in a process of its own, to be killed. Prints the process ids of its isolated agents, one a line. */
import { createRuntime } from "../../server/runtime.ts";
import { createMemoryStore } from "../../stores/memory/memory-store.ts";
import { obedient, stuck } from "./test-agents.ts";

const runtime = await createRuntime({ agents: [stuck, obedient], store: createMemoryStore() });
for (const agent of ["stuck", "stuck", "obedient"]) {
  const job = await runtime.submit(agent, null);
  for await (const event of job.events()) {
    if (event.kind === "log") console.log(event.body.message);
    break;
  }
}
