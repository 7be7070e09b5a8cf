/** The composition root: one configuration → one running process. */
import { join } from "node:path";
import type { AgentDefinition } from "../agents/define-agent.ts";
import { createAgentRegistry } from "../agents/registry.ts";
import type { Job } from "../client/job-handle.ts";
import type { SubmitOptions } from "../client/submission.ts";
import { type Authenticator, createAuthenticator } from "../identity/authenticator.ts";
import { createTokens, TOKEN_FILE } from "../identity/token-file.ts";
import { Kernel } from "../kernel/kernel.ts";
import type { Store } from "../kernel/ports.ts";
import { type Log, silentLog } from "../platform/log.ts";
import { createSystemWorld } from "../platform/system-world.ts";
import type { World } from "../platform/world.ts";
import { Gateway } from "../sessions/gateway.ts";
import { Outbox } from "../sessions/outbox/outbox.ts";
import type { Connection } from "../transports/connection.ts";
import { createInProcess } from "./in-process.ts";
import { type Address, type Listener, type ListenOptions, listen } from "./listener.ts";
import { guardProcess } from "./process-guard.ts";
import { LEASEHOLD_VERSION } from "./version.ts";

export interface RuntimeOptions {
  readonly agents: Iterable<AgentDefinition>;
  /** The data directory: database, tokens. Made when it does not exist. Default: `.leasehold`. */
  readonly data?: string;
  /** Keeps everything elsewhere than in a database under `data`. Closed with the runtime. */
  readonly store?: Store;
  /** Who may call. Default: the tokens in `<data>/tokens.json`. */
  readonly authenticator?: Authenticator;
  /** How long a session without a connection can be resumed, in seconds. Default: 600. */
  readonly resumeWindowSec?: number;
  /** Each side of a session is heard at least this often (§6.4), in seconds. Default: 30. */
  readonly heartbeatIntervalSec?: number;
  /** Default: nothing is logged. */
  readonly log?: Log;
  /** Default: this machine's. */
  readonly world?: World;
  /** Something failed in this process that belongs to no job. Default: the process ends, as it would by itself. */
  readonly onBroken?: (error: unknown) => void;
  /** The store cannot be trusted any more. Default: ends the process with code 70. */
  readonly onFatal?: (error: unknown) => void;
}

const DEFAULT_DATA = ".leasehold";
const DEFAULT_RESUME_WINDOW_SEC = 600;
const DEFAULT_HEARTBEAT_INTERVAL_SEC = 30;
/** `EX_SOFTWARE` of sysexits: an internal fault, so that a supervisor starts the process again. */
const FATAL_EXIT_CODE = 70;
/** How often a drain looks whether the last job has ended. */
const DRAIN_LOOK_MS = 50;

export interface Runtime {
  /**
   * Opens the port. May be called several times, for several addresses.
   * @throws Error as Node has it, such as `EADDRINUSE`; or when the runtime is closed.
   */
  listen(options?: ListenOptions): Promise<Address>;
  /** Takes charge of a connection of a transport of your own. */
  accept(connection: Connection): void;
  /**
   * Submits a job from this process, as the principal `dev`; see `Session.submit` of the client.
   * @throws RequestError when it is refused.
   */
  submit(agent: string, input: unknown, options?: SubmitOptions): Promise<Job>;
  /** Jobs under way. */
  readonly unfinished: number;
  /**
   * Stops: no new connections, no new jobs; waits up to `drainMs` (default 0) for jobs to end, and leaves the rest to the next start.
   * Idempotent.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/**
 * Starts a runtime: opens the store, takes up unfinished jobs, and is ready for connections.
 * @throws Error when the data directory is in use by another process, or cannot be read.
 */
export async function createRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { data = DEFAULT_DATA, world = createSystemWorld(), log = silentLog } = options;
  const agents = createAgentRegistry(options.agents, world);
  const store = options.store ?? (await openStore(data));
  const outbox = new Outbox();
  const kernel = new Kernel({
    store,
    agents,
    world,
    log,
    contributors: [outbox],
    onFatal: options.onFatal ?? ((error) => endProcess(log, error)),
  });
  const authenticator = options.authenticator ?? createAuthenticator([createTokens(join(data, TOKEN_FILE), world)]);
  const inProcess = createInProcess(world, (connection) => gateway.accept(connection));
  const gateway: Gateway = new Gateway({
    kernel,
    outbox,
    world,
    log,
    authenticator: firstOf(createAuthenticator([inProcess.tokens]), authenticator),
    runtime: { name: "leasehold", version: LEASEHOLD_VERSION },
    resumeWindowSec: options.resumeWindowSec ?? DEFAULT_RESUME_WINDOW_SEC,
    heartbeatIntervalSec: options.heartbeatIntervalSec ?? DEFAULT_HEARTBEAT_INTERVAL_SEC,
  });
  try {
    await kernel.start();
  } catch (error) {
    await store.close();
    throw error;
  }
  gateway.start();

  const unguard = guardProcess(log, options.onBroken);
  const listeners: Listener[] = [];
  let closing: Promise<void> | undefined;

  async function close(drainMs: number): Promise<void> {
    const closed = listeners.map((listener) => listener.close());
    kernel.refuseJobs();
    const until = world.clock.now() + drainMs;
    while (kernel.unfinished > 0 && world.clock.now() < until) {
      await new Promise<void>((resolve) => world.timers.after(DRAIN_LOOK_MS, resolve));
    }
    try {
      await inProcess.close();
      gateway.close();
      await kernel.close();
      await Promise.all(closed);
    } finally {
      await store.close();
      unguard();
    }
  }

  return {
    async listen(where = {}) {
      if (closing !== undefined) throw new Error("the runtime is closed: create another one to listen");
      const listener = await listen(where, {
        timers: world.timers,
        log,
        accept: (connection) => gateway.accept(connection),
      });
      if (closing === undefined) listeners.push(listener);
      else await listener.close();
      log.info({ url: listener.url }, "listening");
      const { url, host, port } = listener;
      return { url, host, port };
    },
    accept: (connection) => gateway.accept(connection),
    submit: async (agent, input, how) => (await inProcess.session()).submit(agent, input, how),
    get unfinished() {
      return kernel.unfinished;
    },
    close: ({ drainMs = 0 } = {}) => (closing ??= close(drainMs)),
  };
}

function firstOf(first: Authenticator, second: Authenticator): Authenticator {
  return {
    authenticate: async (credentials) => (await first.authenticate(credentials)) ?? second.authenticate(credentials),
  };
}

/** Imported where it is used: a runtime on another store does without SQLite. */
async function openStore(directory: string): Promise<Store> {
  const { openSqliteStore } = await import("../stores/sqlite/sqlite-store.ts");
  return openSqliteStore({ directory });
}

function endProcess(log: Log, error: unknown): void {
  log.error({ err: error }, "the store cannot be trusted any more; ending the process");
  // A process must not end without a word.
  if (log === silentLog) console.error(error);
  process.exit(FATAL_EXIT_CODE);
}
