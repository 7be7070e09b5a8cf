/** What `dev` and `serve` share: agents from files, a runtime that listens, and a process that survives them. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { loadAgents } from "../agents/load.ts";
import type { Authenticator } from "../identity/authenticator.ts";
import type { Log } from "../platform/log.ts";
import type { Address } from "../server/listener.ts";
import { createRuntime, type Runtime } from "../server/runtime.ts";
import { CliError, usageError } from "./cli-error.ts";
import type { CliIo } from "./io.ts";
import { parsePort } from "./options/numbers-and-times.ts";

export interface ServerOptions {
  readonly port: string;
  readonly host: string;
  readonly data: string;
  readonly json?: boolean;
}

export interface Serving {
  readonly address: Address;
  /** `name@version` of each agent, in the order of the files. */
  readonly agents: readonly string[];
  /** Aborts when the process must end: something failed that belongs to no job. */
  readonly broken: AbortSignal;
  /** Jobs under way. */
  unfinished(): number;
  /** @param drainMs how long jobs under way may take to end; the rest is taken up at the next start. */
  stop(drainMs: number): Promise<void>;
}

/** Loaded when no file is named; the first that exists. */
const DEFAULT_FILES = ["agents.ts", "agents.js"];

async function findFiles(files: readonly string[], io: CliIo): Promise<readonly string[]> {
  if (files.length > 0) return files.map((file) => resolve(io.cwd, file));
  for (const file of DEFAULT_FILES.map((name) => resolve(io.cwd, name))) {
    if (await stat(file).catch(() => undefined)) return [file];
  }
  throw usageError("no agents are named", `name files that export some, or add ${DEFAULT_FILES[0]} here`);
}

function explainListenFailure(error: NodeJS.ErrnoException, host: string, port: number): CliError {
  const options = { cause: error };
  switch (error.code) {
    case "EADDRINUSE":
      return new CliError("PORT_TAKEN", `port ${port} is taken`, {
        ...options,
        remedy: "stop what listens there, or choose another with --port (0 takes any free one)",
      });
    case "EACCES":
      return new CliError("PORT_DENIED", `port ${port} may not be opened by this user`, {
        ...options,
        remedy: "choose one above 1023 with --port",
      });
    default:
      return new CliError("CANNOT_LISTEN", `cannot listen on ${host} port ${port} (${error.message})`, {
        ...options,
        remedy: "check --host and --port",
      });
  }
}

async function listen(runtime: Runtime, host: string, port: number): Promise<Address> {
  try {
    return await runtime.listen({ host, port });
  } catch (error) {
    await runtime.close();
    throw explainListenFailure(error as NodeJS.ErrnoException, host, port);
  }
}

/**
 * @param authenticator who may call; undefined for the tokens in the data directory.
 * @throws CliError USAGE, PORT_TAKEN, PORT_DENIED or CANNOT_LISTEN; Error when an agent's file or the data directory
 * cannot be used.
 */
export async function startServing(
  files: readonly string[],
  options: ServerOptions,
  authenticator: Authenticator | undefined,
  log: Log,
  io: CliIo,
): Promise<Serving> {
  const port = parsePort(options.port);
  const agents = await loadAgents(await findFiles(files, io));
  const broken = new AbortController();
  const runtime = await createRuntime({
    agents,
    onBroken: (error) => broken.abort(error),
    data: resolve(io.cwd, options.data),
    log,
    world: io.world,
    ...(authenticator === undefined ? {} : { authenticator }),
  });
  const address = await listen(runtime, options.host, port);
  return {
    address,
    agents: agents.map(({ name, version }) => `${name}@${version}`),
    broken: broken.signal,
    unfinished: () => runtime.unfinished,
    stop: (drainMs) => runtime.close({ drainMs }),
  };
}
