/** A runtime for this folder's tests: real time, since processes have no other. */
import { onTestFinished } from "vitest";
import type { Job, JobEvent } from "../../client/job.ts";
import type { SubmitOptions } from "../../client/submission.ts";
import type { JobId } from "../../kernel/ids.ts";
import type { Log } from "../../platform/log.ts";
import { createRuntime, type Runtime } from "../../server/runtime.ts";
import { createMemoryStore } from "../../stores/memory/memory-store.ts";
import type { AgentDefinition } from "../define-agent.ts";

export interface Line {
  readonly level: keyof Log;
  readonly message: string;
  readonly [field: string]: unknown;
}

export interface TestRuntime {
  readonly runtime: Runtime;
  readonly lines: readonly Line[];
  /** Entries on a job's log, in a runtime without `data`. */
  countEntries(job: string): Promise<number>;
  submit(agent: string, input?: unknown, options?: SubmitOptions): Promise<Job>;
}

export async function startRuntime(agents: Iterable<AgentDefinition>, data?: string): Promise<TestRuntime> {
  const lines: Line[] = [];
  const at = (level: keyof Log) => (fields: object, message: string) => void lines.push({ ...fields, level, message });
  const log: Log = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  const store = createMemoryStore();
  const runtime = await createRuntime({ agents, log, ...(data === undefined ? { store } : { data }) });
  onTestFinished(() => runtime.close());
  return {
    runtime,
    lines,
    submit: (agent, input, options) => runtime.submit(agent, input, options),
    countEntries: async (job) => (await store.readHeads([job as JobId])).get(job as JobId) ?? 0,
  };
}

/** How a job ended that did not succeed. */
export async function failureOf(job: Job): Promise<{
  readonly code: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}> {
  return await job.result().then(
    (result) => {
      throw new Error(`it succeeded: ${JSON.stringify(result)}`);
    },
    (error) => error,
  );
}

/** All events of a job, once it has ended. */
export async function eventsOf(job: Job): Promise<readonly JobEvent[]> {
  return await Array.fromAsync(job.events());
}

/** The body of the first event of this kind. */
export async function firstOf<Kind extends JobEvent["kind"]>(
  job: Job,
  kind: Kind,
): Promise<Extract<JobEvent, { kind: Kind }>> {
  for await (const event of job.events()) if (event.kind === kind) return event as Extract<JobEvent, { kind: Kind }>;
  throw new Error(`no ${kind} event`);
}

/** Whether a process is there and not a zombie. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
