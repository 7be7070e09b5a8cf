/**
 * What `import … from "leasehold"` gives in an agent's own process: what agents are defined with. The rest of the package
 * would take longer to load than all else of such a process together, and starting a runtime there is a mistake.
 */
export { AgentError } from "../agent-error.ts";
export { defineAgent } from "../define-agent.ts";
export { defineIsolatedAgent } from "./define-isolated-agent.ts";

export function createRuntime(): never {
  throw notHere("createRuntime");
}

export function connectChild(): never {
  throw notHere("connectChild");
}

function notHere(name: string): Error {
  return new Error(
    `${name} was called where an isolated agent is loaded: define the agent in a file of its own, which does nothing but export it`,
  );
}
