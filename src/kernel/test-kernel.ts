/** A kernel for tests: over a store in memory whose commits can be held or failed, in a world under the test's control. */
import { expect } from "vitest";
import { type Log, silentLog } from "../platform/log.ts";
import { CodedError } from "../protocol/errors.ts";
import { createMemoryArtifacts } from "../stores/artifacts/memory-artifacts.ts";
import { createMemoryStore, type MemorySnapshot, type MemoryStore } from "../stores/memory/memory-store.ts";
import { createFakeWorld, type FakeWorld } from "../testing/fake-world.ts";
import { type CrashableStore, createFaultyStore } from "../testing/faulty-store.ts";
import type { AgentReturn, Agents, JobHost, RunnableAgent } from "./agents-port.ts";
import type { Policy } from "./authority/policy.ts";
import type { ArtifactLimits } from "./job/artifacts.ts";
import type { JobRecord } from "./job/job-record.ts";
import type { JobLimits } from "./job/limits.ts";
import type { RetentionLimits } from "./job/retention.ts";
import type { Accepted, SubmitRequest } from "./job/submit.ts";
import { Kernel } from "./kernel.ts";
import type { Contributor } from "./log/contributor.ts";
import type { Artifacts, CommitBatch, Store } from "./ports.ts";
import type { Principal } from "./principal.ts";

export const ME: Principal = { id: "me", tenant: "t", roles: ["user"] };

export interface TestKernel {
  readonly kernel: Kernel;
  readonly store: CrashableStore;
  readonly world: FakeWorld;
  /** Every batch the store was given, refused and failed ones aside. */
  readonly batches: readonly CommitBatch[];
  /** What `onFatal` was called with. */
  readonly fatal: readonly unknown[];
  /** Submits and settles. Rejects as the submission does. */
  submit(agent: string, input?: unknown, more?: Partial<SubmitRequest>): Promise<Accepted>;
  /** The job as the store has it. */
  stored(id: string): Promise<JobRecord>;
  log(id: string): Promise<readonly LogEntry[]>;
  /**
   * Another kernel on what a crash at this moment would leave, `downMs` later, with `agents` (default: the same).
   * The old one stays in a world that no longer moves.
   */
  crash(options?: CrashOptions): Promise<TestKernel>;
}

export interface CrashOptions {
  readonly downMs?: number;
  readonly agents?: readonly RunnableAgent[];
  /** Whether the nth commit under way, from 0, got to the disk; none does after the first that did not. Default: none. */
  readonly survives?: (nth: number) => boolean;
}

export interface LogEntry {
  readonly code: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

export interface TestKernelOptions {
  readonly agents?: readonly RunnableAgent[];
  readonly contributors?: readonly Contributor[];
  readonly snapshot?: MemorySnapshot;
  readonly artifacts?: Artifacts;
  readonly artifactLimits?: Partial<ArtifactLimits>;
  readonly jobLimits?: Partial<JobLimits>;
  readonly retention?: Partial<RetentionLimits>;
  readonly policy?: Policy;
  readonly requireModelUse?: boolean;
  readonly world?: FakeWorld;
  readonly log?: Log;
  /** False leaves the kernel for the test to start. */
  readonly start?: boolean;
}

export async function createTestKernel(options: TestKernelOptions = {}): Promise<TestKernel> {
  const { agents = [], world = createFakeWorld(), start = true } = options;
  const batches: CommitBatch[] = [];
  const fatal: unknown[] = [];
  const memory = createMemoryStore(options.snapshot);
  const { artifacts = createMemoryArtifacts() } = options;
  const recording: MemoryStore = {
    ...memory,
    commit(batch) {
      batches.push(batch);
      return memory.commit(batch);
    },
  };
  const store = createFaultyStore(recording);
  const kernel = new Kernel({
    store,
    artifacts,
    ...(options.artifactLimits && { artifactLimits: options.artifactLimits }),
    ...(options.jobLimits && { jobLimits: options.jobLimits }),
    ...(options.retention && { retention: options.retention }),
    policy: options.policy,
    requireModelUse: options.requireModelUse,
    agents: agentsOf(agents),
    world,
    log: options.log ?? silentLog,
    contributors: options.contributors ?? [],
    onFatal: (error) => fatal.push(error),
  });
  if (start) {
    await kernel.start();
    await world.settle();
  }

  return {
    kernel,
    store,
    world,
    batches,
    fatal,
    async submit(agent, input = null, more = {}) {
      const submission = { principal: ME, session: null, agent, input, ...more };
      let answer: Accepted | undefined;
      const submitted = kernel.submit(submission, (accepted) => {
        answer = accepted;
      });
      submitted.catch(() => {});
      await world.settle();
      await submitted;
      if (answer === undefined) throw new Error("the submission resolved without having been accepted");
      return answer;
    },
    async stored(id) {
      const job = await store.readJob(id);
      if (job === undefined) throw new Error(`the store has no job ${id}`);
      return job;
    },
    log: (id) => readLog(store, id),
    async crash({ downMs = 0, agents: registered = agents, survives = () => false } = {}) {
      let nth = 0;
      const snapshot = await store.crashImage(() => survives(nth++));
      const later = createFakeWorld({ seed: world.drawInt(1_000_000), startAt: world.clock.now() + downMs });
      return createTestKernel({ ...options, artifacts, agents: registered, snapshot, world: later });
    },
  };
}

/** The committed log of a job, checked for what holds of every log: no gap, no repeat, at most one terminal, and last. */
async function readLog(store: Pick<Store, "readChunks">, job: string): Promise<readonly LogEntry[]> {
  const entries: LogEntry[] = [];
  for (;;) {
    const page = await store.readChunks({ job, after: entries.length, limit: 1_000 });
    if (page.length === 0) break;
    for (const chunk of page) {
      expect(chunk.firstSeq).toBe(entries.length + 1);
      for (const [index, text] of chunk.payloads.entries()) {
        entries.push({ code: chunk.kinds.charAt(index), payload: JSON.parse(text) });
        expect(entries.at(-1)?.payload.job_seq).toBe(entries.length);
      }
    }
  }
  const terminals = entries.flatMap(({ code }, index) => (code === "R" || code === "E" ? [index] : []));
  expect(terminals).toEqual(terminals.length === 0 ? [] : [entries.length - 1]);
  return entries;
}

/** An agent that is nothing but its function. */
export function anAgent(
  name: string,
  run: (host: JobHost, input: unknown) => Promise<AgentReturn> | AgentReturn,
  fields: Partial<Pick<RunnableAgent, "version" | "restart" | "parseInput" | "maxConcurrent">> = {},
): RunnableAgent {
  return {
    name,
    version: "1.0.0",
    restart: "never",
    parseInput: (input) => input,
    run: async (host, input) => run(host, input),
    ...fields,
  };
}

/** Returns its input. */
export const echo = anAgent("echo", (_, input) => ({ result: JSON.stringify(input) }));

/** Runs until its job is stopped, then returns as if nothing were. */
export const deaf = anAgent("deaf", ({ signal }) => {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve({})));
});

/** Does not end, and heeds no signal. */
export const endless = anAgent("endless", () => new Promise<never>(() => {}));

/** Appends one numbered log entry; its promise of room, if it has to wait. */
export function say(host: JobHost, text: string): Promise<void> | undefined {
  return host.append("log", "log", JSON.stringify({ level: "info", message: text }));
}

function agentsOf(agents: readonly RunnableAgent[]): Agents {
  return {
    resolve(reference) {
      const found = agents.find(({ name, version }) => reference === name || reference === `${name}@${version}`);
      if (found === undefined) throw new CodedError("AGENT_NOT_AVAILABLE", `no agent ${reference}`);
      return found;
    },
    list: () => agents.map(({ name, version }) => ({ name, versions: [version], default: version })),
  };
}
