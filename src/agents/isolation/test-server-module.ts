/** For tests: a module that starts a runtime when it is loaded, beside defining an agent. */
import { createRuntime, defineAgent } from "leasehold";

export const withinServer = defineAgent({
  name: "within-server",
  version: "1.0.0",
  isolate: "process",
  module: import.meta.url,
  run: () => "unreachable",
});

export const runtime = await createRuntime({ agents: [withinServer] });
