/** What isolated agents are run by; everything heavy about it is loaded with the first of them. */
import type { AgentReturn } from "../../kernel/agents-port.ts";
import type { IsolatedRun, Supervisor, SupervisorOptions } from "./supervisor.ts";

export interface Isolator {
  /** See `Supervisor.run`. */
  run(run: IsolatedRun): Promise<AgentReturn>;
  /** To be called once no job runs any more: what is left of their processes is killed. */
  close(): Promise<void>;
}

export function createIsolator(options: SupervisorOptions): Isolator {
  let supervisor: Promise<Supervisor> | undefined;
  return {
    async run(run) {
      supervisor ??= import("./supervisor.ts").then(({ createSupervisor }) => createSupervisor(options));
      return await (await supervisor).run(run);
    },
    async close() {
      (await supervisor)?.close();
    },
  };
}
