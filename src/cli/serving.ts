/** What `dev` and `serve` share: agents from files, a runtime that listens, and a process that survives them. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { AgentDefinition } from "../agents/define-agent.ts";
import { loadAgents } from "../agents/load.ts";
import type { Log } from "../platform/log.ts";
import type { Address } from "../server/listener.ts";
import { createRuntime, type Runtime } from "../server/runtime.ts";
import { usageError } from "./cli-error.ts";
import type { CliIo } from "./io.ts";
import type { CallerSettings, CallingOptions } from "./options/callers.ts";
import { explainListenFailure, type ListeningOptions, readListenOptions } from "./options/listening.ts";
import type { LoggingOptions } from "./options/logging.ts";
import { parseMaxConnections } from "./options/numbers-and-times.ts";
import { readPolicy } from "./options/policy.ts";
import { readPrices } from "./options/prices.ts";
import { readSettings } from "./options/settings.ts";

export interface ServerOptions extends ListeningOptions, CallingOptions, LoggingOptions {
  readonly data: string;
  readonly maxConnections?: string;
  readonly set?: readonly string[];
  readonly prices?: string;
  readonly policy?: string;
  readonly anyModel?: boolean;
  readonly conformanceAgents?: boolean;
  readonly json?: boolean;
}

/** A runtime with agents from files, which serves nobody yet. */
export interface Running {
  readonly runtime: Runtime;
  /** `name@version` of each agent, in the order of the files. */
  readonly agents: readonly string[];
  /**
   * Serves these agents instead of those of the files; see `Runtime.replaceAgents`. Returns `name@version` of each.
   * @throws as `Runtime.replaceAgents`.
   */
  replace(own: readonly AgentDefinition[]): readonly string[];
  /** Aborts when the process must end: something failed that belongs to no job. */
  readonly broken: AbortSignal;
  /** Jobs under way. */
  unfinished(): number;
  /** @param drainMs how long jobs under way may take to end; the rest is taken up at the next start. */
  stop(drainMs: number): Promise<void>;
}

export interface Serving extends Running {
  readonly address: Address;
}

/** Loads the agents that files export. */
export type LoadFiles = (files: readonly string[]) => Promise<readonly AgentDefinition[]>;

/** Loaded when no file is named; the first that exists. */
const DEFAULT_FILES = ["agents.ts", "agents.js"];

async function findFiles(files: readonly string[], io: CliIo): Promise<readonly string[]> {
  if (files.length > 0) return files.map((file) => resolve(io.cwd, file));
  for (const file of DEFAULT_FILES.map((name) => resolve(io.cwd, name))) {
    if (await stat(file).catch(() => undefined)) return [file];
  }
  throw usageError("no agents are named", `name files that export some, or add ${DEFAULT_FILES[0]} here`);
}

interface ServedAgents {
  /** Of the files. */
  readonly own: readonly AgentDefinition[];
  /** Of the suite. */
  readonly fixed: readonly AgentDefinition[];
}

/** Those of the suite alone when no file is named with them. */
async function findAgents(
  files: readonly string[],
  { conformanceAgents = false }: ServerOptions,
  load: LoadFiles,
  io: CliIo,
): Promise<ServedAgents> {
  if (!conformanceAgents) return { own: await load(await findFiles(files, io)), fixed: [] };
  const { createConformanceAgents } = await import("../conformance/conformance-agents.ts");
  const own = files.length === 0 ? [] : await load(await findFiles(files, io));
  return { own, fixed: createConformanceAgents(io.world.timers) };
}

function referencesOf(agents: readonly AgentDefinition[]): readonly string[] {
  return agents.map(({ name, version }) => `${name}@${version}`);
}

/**
 * @param callers who may call, beside the tokens in the data directory, and who may see whose jobs.
 * @throws CliError USAGE or FILE_UNREADABLE; Error when an agent's file or the data directory cannot be used.
 */
export async function startRuntime(
  files: readonly string[],
  options: ServerOptions,
  callers: CallerSettings,
  log: Log,
  io: CliIo,
  load: LoadFiles = loadAgents,
): Promise<Running> {
  const { maxConnections } = options;
  const settings = maxConnections === undefined ? {} : { maxConnections: parseMaxConnections(maxConnections) };
  const bounds = readSettings(options.set);
  const prices = options.prices === undefined ? {} : { prices: await readPrices(options.prices, io) };
  const policy = options.policy === undefined ? {} : { policy: await readPolicy(options.policy, io) };
  const { own, fixed } = await findAgents(files, options, load, io);
  const agents = [...own, ...fixed];
  const broken = new AbortController();
  const runtime = await createRuntime({
    agents,
    onBroken: (error) => broken.abort(error),
    data: resolve(io.cwd, options.data),
    log,
    world: io.world,
    ...settings,
    ...bounds,
    ...prices,
    ...policy,
    requireModelUse: options.anyModel !== true,
    ...callers,
  });
  return {
    runtime,
    agents: referencesOf(agents),
    replace(replacements) {
      const all = [...replacements, ...fixed];
      runtime.replaceAgents(all);
      return referencesOf(all);
    },
    broken: broken.signal,
    unfinished: () => runtime.unfinished,
    stop: (drainMs) => runtime.close({ drainMs }),
  };
}

/**
 * @param callers who may call, beside the tokens in the data directory, and who may see whose jobs.
 * @throws CliError USAGE, TLS_UNUSABLE, PORT_TAKEN, PORT_DENIED or CANNOT_LISTEN; Error when an agent's file or the data
 * directory cannot be used.
 */
export async function startServing(
  files: readonly string[],
  options: ServerOptions,
  callers: CallerSettings,
  log: Log,
  io: CliIo,
  load: LoadFiles = loadAgents,
): Promise<Serving> {
  const where = readListenOptions(options, io.cwd);
  const running = await startRuntime(files, options, callers, log, io, load);
  try {
    return { ...running, address: await running.runtime.listen(where) };
  } catch (error) {
    await running.stop(0);
    throw explainListenFailure(error as NodeJS.ErrnoException, where);
  }
}
