/** The composition root: one configuration → one running process. */
import type { Server } from "node:http";
import { join, resolve } from "node:path";
import type { AgentDefinition } from "../agents/define-agent.ts";
import { createIsolator } from "../agents/isolation/isolator.ts";
import { createAgentRegistry } from "../agents/registry.ts";
import { createApiFace } from "../api/api-face.ts";
import type { Job } from "../client/job.ts";
import type { SubmitOptions } from "../client/submission.ts";
import { requireLoopback } from "../identity/anonymous.ts";
import { type Authenticator, createAuthenticator } from "../identity/authenticator.ts";
import { createVisibility } from "../identity/visibility.ts";
import { Kernel } from "../kernel/kernel.ts";
import type { Artifacts, Store } from "../kernel/ports.ts";
import { type Log, silentLog } from "../platform/log.ts";
import { createSystemWorld } from "../platform/system-world.ts";
import type { World } from "../platform/world.ts";
import { Gateway } from "../sessions/gateway.ts";
import { Outbox } from "../sessions/outbox/outbox.ts";
import { createMemoryArtifacts } from "../stores/artifacts/memory-artifacts.ts";
import type { Connection } from "../transports/connection.ts";
import { sweepAfterStart } from "./artifact-sweeps.ts";
import { type Attachment, type AttachOptions, attach } from "./attach.ts";
import { createCallers } from "./callers.ts";
import { createConnectionLimit } from "./connection-limit.ts";
import type { EntranceEnvironment } from "./entrance.ts";
import { createReadyFace, healthFace } from "./health-face.ts";
import type { HttpFace } from "./http-faces.ts";
import { createInProcess } from "./in-process.ts";
import { type Address, type Listener, type ListenOptions, listen } from "./listener.ts";
import { createMetricsFace } from "./metrics/metrics-face.ts";
import { Tally } from "./metrics/tally.ts";
import { guardProcess } from "./process-guard.ts";
import { type RuntimeOptions, readBounds } from "./runtime-options.ts";
import { createStdioPeer, type StdioServing, type StdioStreams } from "./stdio-serving.ts";
import { StoreHealth } from "./store-health.ts";
import { createTracing } from "./tracing.ts";
import { LEASEHOLD_VERSION } from "./version.ts";

const DEFAULT_DATA = ".leasehold";
/** `EX_SOFTWARE` of sysexits: an internal fault, so that a supervisor starts the process again. */
const FATAL_EXIT_CODE = 70;
/** How the last jobs ended leaves by their sessions' connections before these are closed. */
const LAST_FRAMES_MS = 50;

export interface Runtime {
  /**
   * Opens the port. May be called several times, for several addresses.
   * @throws Error as Node has it, such as `EADDRINUSE`; when a certificate, key or trusted proxy cannot be used; or when
   * the runtime is closed.
   */
  listen(options?: ListenOptions): Promise<Address>;
  /**
   * Takes over sessions on `/arcp`, and the requests of our HTTP faces, from an HTTP server of yours; all else stays
   * yours. Its limits and timeouts stay as you set them. Detached when the runtime closes.
   * @throws TypeError for an entry of `trustedProxies` that is no address; Error when the runtime is closed.
   */
  attach(server: Server, options?: AttachOptions): Attachment;
  /**
   * Serves one client over a pair of streams (§4), one frame a line. Without a token it is the principal `local`, of all
   * roles; a token it presents must be valid.
   * @throws Error when the runtime is closed.
   */
  serveStdio(streams?: StdioStreams): StdioServing;
  /**
   * Takes charge of a connection of a transport of your own.
   * @throws Error when the runtime is closed.
   */
  accept(connection: Connection): void;
  /**
   * Submits a job from this process, as the principal `dev`; see `Session.submit` of the client.
   * @throws RequestError when it is refused.
   */
  submit(agent: string, input: unknown, options?: SubmitOptions): Promise<Job>;
  /**
   * From now on new jobs run these agents instead. Jobs under way keep what they started with, and every
   * earlier version that these do not replace can still be had by `name@version`.
   * @throws TypeError or Error as `createRuntime` does for agents, having changed nothing.
   */
  replaceAgents(agents: Iterable<AgentDefinition>): void;
  /** Jobs under way. */
  readonly unfinished: number;
  /**
   * Stops: no new connections, no new jobs, no start of a waiting one; waits up to `drainMs` (default 0) for running jobs
   * to end, and leaves the rest to the next start. Meanwhile `/readyz` answers 503, and the ports close when it is over.
   * Idempotent.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/**
 * Starts a runtime: opens the store, takes up unfinished jobs, and is ready for connections.
 * @throws Error when the data directory is in use by another process, or cannot be read; RangeError naming an option that
 * makes no sense.
 */
export async function createRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { data = DEFAULT_DATA, world = createSystemWorld(), log = silentLog } = options;
  const bounds = readBounds(options);
  const { contentLimits } = bounds;
  const limit = createConnectionLimit(bounds.maxConnections);
  const tracing = await createTracing();
  const apart = [resolve(data)];
  const isolator = createIsolator({ timers: world.timers, log, apart });
  const agents = createAgentRegistry(options.agents, world, {
    ...contentLimits,
    tracing,
    prices: bounds.prices,
    apart,
    isolator,
  });
  const visibility = createVisibility(options.observe);
  const authenticator = await createCallers(options, { data, world, log });
  const store = options.store ?? (await openStore(data));
  const artifacts = options.artifacts ?? (options.store ? createMemoryArtifacts() : await openArtifacts(data, world));
  const outbox = new Outbox();
  const kernel = new Kernel({
    store,
    artifacts,
    artifactLimits: contentLimits,
    jobLimits: bounds.jobLimits,
    requireModelUse: options.requireModelUse,
    policy: bounds.policy,
    retention: bounds.retention,
    agents,
    world,
    log,
    beginTrace: tracing?.begin,
    contributors: [outbox],
    onFatal: options.onFatal ?? ((error) => endProcess(log, error)),
  });
  tracing?.watch(kernel);
  const tally = new Tally();
  tally.watch(kernel);
  const storeHealth = new StoreHealth(world.clock);
  storeHealth.watch(kernel);
  const stdio = createStdioPeer(world, log);
  const inProcess = createInProcess(world, (connection) => gateway.accept(connection));
  const gateway: Gateway = new Gateway({
    kernel,
    visibility,
    outbox,
    world,
    log,
    authenticator: firstOf(createAuthenticator([inProcess.tokens, stdio.tokens]), authenticator),
    runtime: { name: "leasehold", version: LEASEHOLD_VERSION },
    resumeWindowSec: bounds.resumeWindowSec,
    heartbeatIntervalSec: bounds.heartbeatIntervalSec,
    limits: bounds.sessionLimits,
    onRefused: (code) => tally.refuse("arcp", code),
  });
  try {
    await kernel.start();
    await authenticator.watch(kernel);
    await gateway.start().catch(async (error: unknown) => {
      await kernel.close();
      throw error;
    });
  } catch (error) {
    await store.close();
    throw error;
  }

  const sweep = sweepAfterStart(kernel, world.timers, log);
  const unguard = guardProcess(log, options.onBroken);
  const api = createApiFace({
    kernel,
    authenticator,
    visibility,
    world,
    log,
    version: LEASEHOLD_VERSION,
    startedAt: world.clock.now(),
    countSessions: () => gateway.sessions,
    measureStore: () => store.readSize(),
    requestRate: bounds.requestRate,
    onRefused: (code) => tally.refuse("api", code),
  });
  const ready = createReadyFace({ isClosing: () => closing !== undefined, store: storeHealth });
  const metrics = createMetricsFace({
    kernel,
    authenticator,
    visibility,
    log,
    tally,
    version: LEASEHOLD_VERSION,
    countConnections: () => gateway.connections,
    countSessions: () => gateway.countSessions(),
    countUnfinished: () => kernel.countUnfinished(),
    countArtifacts: () => kernel.artifactCounts,
    countAudit: () => kernel.auditCounts,
    measureStore: () => store.readSize(),
  });
  /** In order: the first whose prefix fits answers. The console, at `/`, comes last. */
  const faces: readonly HttpFace[] = [healthFace, ready, metrics, api];
  const environment: EntranceEnvironment = {
    clock: world.clock,
    timers: world.timers,
    log,
    faces,
    limit,
    isClosing: () => closing !== undefined,
    accept: (connection) => gateway.accept(connection),
  };
  const listeners: Listener[] = [];
  const attachments: Attachment[] = [];
  let closing: Promise<void> | undefined;

  function refuseWhenClosed(wish: string): void {
    if (closing !== undefined) throw new Error(`the runtime is closed: create another one to ${wish}`);
  }

  async function close(drainMs: number): Promise<void> {
    const lastLines = api.close();
    if (lastLines !== undefined) await lastLines;
    for (const attachment of attachments) attachment.detach();
    sweep.cancel();
    // While jobs come to their ends the port stays open: for `/readyz`, and for the last numbers of `/metrics`.
    if (kernel.unfinished > 0 && drainMs > 0) {
      await kernel.drain(drainMs);
      await new Promise<void>((resolve) => world.timers.after(LAST_FRAMES_MS, resolve));
    } else {
      kernel.refuseJobs();
    }
    const closed = listeners.map((listener) => listener.close());
    try {
      await inProcess.close();
      gateway.close();
      await kernel.close();
      await isolator.close();
      tracing?.close();
      await Promise.all(closed);
    } finally {
      await store.close();
      unguard();
    }
  }

  return {
    async listen(where = {}) {
      refuseWhenClosed("listen");
      if (options.anonymous === true && where.host !== undefined) requireLoopback(where.host);
      const listener = await listen(where, environment);
      if (closing === undefined) listeners.push(listener);
      else await listener.close();
      log.info({ url: listener.url }, "listening");
      const { url, host, port } = listener;
      return { url, host, port };
    },
    attach(server, how = {}) {
      refuseWhenClosed("attach");
      const attachment = attach(server, how, environment);
      attachments.push(attachment);
      return attachment;
    },
    serveStdio(streams = {}) {
      refuseWhenClosed("serve");
      const connection = stdio.connect(streams);
      gateway.accept(connection);
      return { ended: connection.ended };
    },
    accept(connection) {
      refuseWhenClosed("accept connections");
      gateway.accept(connection);
    },
    async submit(agent, input, how = {}) {
      const traceId = how.traceId ?? tracing?.active();
      return (await inProcess.session()).submit(agent, input, traceId === undefined ? how : { ...how, traceId });
    },
    replaceAgents: (definitions) => agents.replace(definitions),
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

async function openArtifacts(data: string, world: World): Promise<Artifacts> {
  const { createFileArtifacts } = await import("../stores/artifacts/file-artifacts.ts");
  return createFileArtifacts(join(data, "artifacts"), world.ids);
}

function endProcess(log: Log, error: unknown): void {
  log.error({ err: error }, "the store cannot be trusted any more; ending the process");
  // A process must not end without a word.
  if (log === silentLog) console.error(error);
  process.exit(FATAL_EXIT_CODE);
}
