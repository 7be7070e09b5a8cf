/**
 * Runs isolated agents: one process for each attempt, from its start to its certain end. The job never waits for the
 * process: once its outcome is fixed, what is left of the process is ended in a moment.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { extname } from "node:path";
import type { Duplex } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { AgentReturn, JobHost } from "../../kernel/agents-port.ts";
import { leaseOf } from "../../kernel/authority/lease.ts";
import type { Log } from "../../platform/log.ts";
import { RoundRobin } from "../../platform/round-robin.ts";
import type { Timers } from "../../platform/world.ts";
import { CodedError } from "../../protocol/errors.ts";
import { LineError } from "../../transports/line-splitter.ts";
import { AgentOutput } from "./agent-output.ts";
import type { HostCall } from "./host-calls.ts";
import { HostedAgent, violated } from "./hosted-agent.ts";
import type { Isolation } from "./isolation-spec.ts";
import { findLeasePaths, leaveOut } from "./lease-paths.ts";
import { createLineWriter, readLines } from "./lines.ts";
import { createMemoryWatch } from "./memory-watch.ts";
import { MAX_LINE_BYTES, OFFLINE, PIPE_FD, type ToldSettings } from "./messages.ts";
import { findModuleReads } from "./module-reads.ts";
import { needsNetwork, nodeFlags } from "./node-flags.ts";
import { createOrphanWatch } from "./orphan-watch.ts";
import { toPipeError } from "./pipe-error.ts";
import { Violation } from "./violation.ts";

/** After its job was stopped an agent has this long to end by itself, in milliseconds; then it is killed. */
const KILL_GRACE_MS = 2_000;
/** Processes at once in one runtime, some 55 MB each at the least. One more fails its job, which may be submitted again. */
const MAX_PROCESSES = 256;
/** Linux: the kernel takes this process before the runtime when memory runs out. */
const FIRST_TO_GO = "1000";

const ENTRY = fileURLToPath(new URL(`./agent-process${extname(import.meta.url)}`, import.meta.url));
const HEAP_EXHAUSTED = /heap out of memory|Reached heap limit|Array buffer allocation failed/;

export interface SupervisorOptions {
  readonly timers: Timers;
  readonly log: Log;
  /** Absolute paths that no agent may reach with `node:fs`, whatever its lease says: the runtime's data. */
  readonly apart: readonly string[];
}

export interface IsolatedRun {
  /** `name@version`. */
  readonly agent: string;
  readonly isolation: Isolation;
  readonly host: JobHost;
  /** As the client sent it. */
  readonly input: unknown;
  readonly settings: ToldSettings;
  readonly maxResultBytes: number;
  /** Of the attempt's span: its id and flags, such as `00f067aa0ba902b7-01`. Default: as the job has it. */
  readonly traceParent?: string | undefined;
  /** Carried out here, beside what the host does. */
  readonly calls: Readonly<Record<string, HostCall>>;
}

export interface Supervisor {
  /** Rejects with what the agent threw, how its process ended, or the stop reason. */
  run(run: IsolatedRun): Promise<AgentReturn>;
  /** Kills what still runs, and starts nothing more. */
  close(): void;
}

export function createSupervisor({ timers, log, apart }: SupervisorOptions): Supervisor {
  const memory = createMemoryWatch(timers);
  const orphans = createOrphanWatch(log);
  /** By definition, since a later one may have been loaded from other source: each is looked at once. */
  const moduleReads = new WeakMap<Isolation, Promise<readonly string[]>>();
  const alive = new Set<ChildProcess>();
  /** One piece of one pipe in each turn of the event loop: however much they send, the runtime hears others. */
  const turns = new RoundRobin<HostedAgent>(timers);
  let isClosed = false;

  function readsOf(isolation: Isolation, module: string): Promise<readonly string[]> {
    const found = moduleReads.get(isolation) ?? findModuleReads(module);
    moduleReads.set(isolation, found);
    // What could not be read may be there the next time.
    found.catch(() => moduleReads.delete(isolation));
    return found;
  }

  async function argumentsFor({ isolation, host }: IsolatedRun, module: string): Promise<readonly string[]> {
    const grants = leaseOf(host.job)?.grants ?? {};
    // By their real paths too, which are known only once they are there.
    const real = await Promise.all(apart.map((path) => realpath(path).catch(() => path)));
    const left = [...apart, ...real];
    const [reads, leased, writes] = await Promise.all([
      // What a module's source names, or a link among its packages leads to, may be the runtime's data too.
      readsOf(isolation, module).then((reads) => leaveOut(reads, left)),
      findLeasePaths(grants["fs.read"] ?? [], left),
      findLeasePaths(grants["fs.write"] ?? [], left),
    ]);
    const { memoryMb } = isolation;
    const namespaces = Object.keys(grants);
    const flags = nodeFlags({ memoryMb, reads: [...reads, ...leased], writes, namespaces });
    return [...flags, ENTRY, ...(needsNetwork(namespaces) ? [] : [OFFLINE])];
  }

  async function run(run: IsolatedRun): Promise<AgentReturn> {
    const { agent, isolation, host } = run;
    const module = await moduleOf(agent, isolation.module);
    const commandLine = await argumentsFor(run, module);
    host.signal.throwIfAborted();
    if (isClosed) throw new CodedError("INTERNAL_ERROR", "the runtime is closing");
    if (alive.size >= MAX_PROCESSES) throw tooManyProcesses(agent);
    const child = start(agent, commandLine);
    if (child.pid === undefined) {
      throw await new Promise<unknown>((resolve) =>
        child.once("error", (cause) => resolve(startFailure(agent, cause))),
      );
    }
    return await accompany(run, child, child.pid, pathToFileURL(module).href);
  }

  async function accompany(run: IsolatedRun, child: ChildProcess, pid: number, module: string): Promise<AgentReturn> {
    const { agent, isolation, host } = run;
    const pipe = child.stdio[PIPE_FD] as unknown as Duplex;
    const ended = endOf(child);
    const writer = createLineWriter(pipe);
    const hosted = new HostedAgent({ host, writer, agent, maxResultBytes: run.maxResultBytes, calls: run.calls });
    const output = new AgentOutput(log, host.job.id);
    const kill = (): void => void child.kill("SIGKILL");
    // Whether it could be killed shows in its end.
    child.on("error", () => {});
    alive.add(child);
    const unwatch = orphans.watch(pid);
    goFirst(pid);
    const relax = memory.watch(pid, isolation.memoryMb, () => {
      hosted.end(tooMuchMemory(agent, isolation.memoryMb));
      kill();
    });
    const stop = (): void => {
      hosted.send({ type: "stop", error: toPipeError(host.signal.reason) });
      const timer = timers.after(KILL_GRACE_MS, () => {
        hosted.end(host.signal.reason);
        kill();
      });
      void ended.then(() => timer.cancel());
    };
    if (child.stdout !== null) output.follow(child.stdout, "stdout");
    if (child.stderr !== null) output.follow(child.stderr, "stderr");
    pipe.on("error", () => {});
    void ended.then(() => {
      alive.delete(child);
      unwatch();
      relax();
      host.signal.removeEventListener("abort", stop);
    });

    void readLines(
      pipe,
      MAX_LINE_BYTES,
      (line) => hosted.take(line),
      () => turns.next(hosted),
    )
      .catch((error: unknown) => {
        if (error instanceof CodedError) hosted.end(error);
        else if (error instanceof Violation || error instanceof LineError) hosted.end(violated(agent, error));
        // Any other is of a pipe that broke off, and means no more than that it ended.
      })
      .then(async () => {
        // It ends when the process does, or when the agent closes it, and then nothing it does can be heard any more.
        kill();
        hosted.end(endedEarly(agent, await ended, output.tail, isolation.memoryMb));
      });

    await begin(run, hosted, writer.send.bind(writer), module);
    host.signal.addEventListener("abort", stop, { once: true });
    if (host.signal.aborted) stop();
    try {
      return await hosted.outcome;
    } finally {
      // Whatever it may still be doing: its job is over.
      kill();
    }
  }

  return {
    run,
    close() {
      isClosed = true;
      for (const child of alive) child.kill("SIGKILL");
    },
  };
}

async function begin(
  { host, input, settings, traceParent }: IsolatedRun,
  hosted: HostedAgent,
  send: (text: string) => Promise<void> | undefined,
  module: string,
): Promise<void> {
  for (const [name, value] of host.steps) await send(JSON.stringify({ type: "step", name, value }));
  const { principal: _principal, session: _session, ...job } = host.job;
  hosted.send({
    type: "start",
    module,
    job: traceParent === undefined ? job : { ...job, traceParent },
    attempt: host.attempt,
    ...(input === undefined ? {} : { input }),
    settings,
    budget: host.budget.view(),
  });
}

async function moduleOf(agent: string, module: string): Promise<string> {
  try {
    return await realpath(fileURLToPath(module));
  } catch (cause) {
    throw new CodedError("INTERNAL_ERROR", `the module of isolated agent ${agent} is not there: ${module}`, { cause });
  }
}

interface ProcessEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

function endOf(child: ChildProcess): Promise<ProcessEnd> {
  return new Promise((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
}

function start(agent: string, commandLine: readonly string[]): ChildProcess {
  try {
    return spawn(process.execPath, commandLine, {
      env: {},
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      // A session of its own: what a terminal sends to the runtime's processes, such as Ctrl-C, is not for it.
      detached: true,
    });
  } catch (cause) {
    // A command line that is too long, for one.
    throw startFailure(agent, cause as Error);
  }
}

function startFailure(agent: string, cause: Error): CodedError {
  return new CodedError("INTERNAL_ERROR", `no process could be started for ${agent}: ${cause.message}`, { cause });
}

function tooManyProcesses(agent: string): CodedError {
  return new CodedError(
    "INTERNAL_ERROR",
    `no process could be started for ${agent}: ${MAX_PROCESSES} isolated agents run already (MAX_PROCESSES); give agents a maxConcurrent, so that further jobs wait`,
    { details: { limit: "MAX_PROCESSES", count: MAX_PROCESSES } },
  );
}

function goFirst(pid: number): void {
  if (process.platform !== "linux") return;
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, FIRST_TO_GO);
  } catch {
    // Ended already, or not ours to say in this container.
  }
}

function endedEarly(agent: string, { code, signal }: ProcessEnd, tail: string, memoryMb: number): CodedError {
  if (HEAP_EXHAUSTED.test(tail) && code !== 0) return tooMuchMemory(agent, memoryMb);
  const how = signal === null ? `with code ${code}` : `by ${signal}`;
  return new CodedError("INTERNAL_ERROR", `the process of ${agent} ended ${how} before the agent returned`, {
    details: signal === null ? { exit_code: code } : { signal },
  });
}

function tooMuchMemory(agent: string, memoryMb: number): CodedError {
  return new CodedError(
    "INTERNAL_ERROR",
    `the process of ${agent} took more than ${memoryMb} MiB of memory (memoryMb), and was ended`,
    { details: { limit: "memoryMb", memory_mb: memoryMb } },
  );
}
