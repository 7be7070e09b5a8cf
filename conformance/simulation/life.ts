/**
 * One life of the runtime, from its start to its crash or its close: the whole of it, over a memory store and memory
 * connections. Store and network take their time, so that a crash or a drop finds things half done. What a dead
 * runtime still wants to do reaches nobody.
 */
import type { AgentContext } from "../../src/agents/agent-context.ts";
import type { AgentDefinition } from "../../src/agents/define-agent.ts";
import type { Artifacts, CommitBatch, Store } from "../../src/kernel/ports.ts";
import type { Principal } from "../../src/kernel/principal.ts";
import type { Timer, Timers, World } from "../../src/platform/world.ts";
import { createRuntime, type Runtime } from "../../src/server/runtime.ts";
import { createMemoryArtifacts } from "../../src/stores/artifacts/memory-artifacts.ts";
import { createMemoryStore, type MemorySnapshot, type MemoryStore } from "../../src/stores/memory/memory-store.ts";
import type { FakeWorld } from "../../src/testing/fake-world.ts";
import { type CrashableStore, createFaultyStore } from "../../src/testing/faulty-store.ts";
import type { Connection } from "../../src/transports/connection.ts";
import { createMemoryConnectionPair, type MemoryClient } from "../../src/transports/memory.ts";
import type { Ledger } from "./ledger.ts";
import { HEARTBEAT_INTERVAL_SEC, MAX_AGE_SEC, RESUME_WINDOW_SEC } from "./limits.ts";
import { layerStore } from "./store-layer.ts";

/** Unsent bytes that make a connection overloaded: a few dozen events, so that every stall becomes one. */
const OVERLOAD_BYTES = 8_192;
/** How often, and for at most how many milliseconds, the store or the network lets somebody wait. */
const SLOW = 0.15;
const SLOW_MS = 4;

/** Layers that break a law on purpose, to show that it is noticed. */
export interface Sabotage {
  /** What the runtime takes for its store. */
  store?(store: Store): Store;
  /** What lies under the store that acknowledges. */
  disk?(store: Store): Store;
  /** What the runtime takes for a connection. */
  connection?(connection: Connection): Connection;
  /** What agents under a lease are handed instead of their `ctx`. */
  readonly context?: (ctx: AgentContext) => AgentContext;
  /** Changes the code itself, for one run. Returns what undoes it. */
  patch?(): () => void;
}

/** When a commit fails: before it writes anything, or after it wrote everything. */
export type Fault = "before" | "after";

export interface LifeOptions {
  readonly world: FakeWorld;
  readonly ledger: Ledger;
  readonly image: MemorySnapshot | undefined;
  /** Contents of artifacts, by digest: they outlive a crash. */
  readonly contents: Map<string, Buffer>;
  readonly sabotage: Sabotage;
  agents(timers: Timers): readonly AgentDefinition[];
  authenticate(token: string | undefined): Principal | undefined;
  /** Sees every frame in the turn in which the runtime sends it. */
  onSend(frame: string): void;
}

/** Timers that stop with a life, and say how many are pending. */
class MortalTimers implements Timers {
  readonly #timers: Timers;
  readonly #pending = new Set<Timer>();
  #dead = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  get pending(): number {
    return this.#pending.size;
  }

  soon(run: () => void): void {
    this.#timers.soon(() => {
      if (!this.#dead) run();
    });
  }

  after(delayMs: number, run: () => void): Timer {
    if (this.#dead) return { cancel() {} };
    const timer = this.#timers.after(delayMs, () => {
      this.#pending.delete(timer);
      run();
    });
    this.#pending.add(timer);
    return {
      cancel: () => {
        this.#pending.delete(timer);
        timer.cancel();
      },
    };
  }

  die(): void {
    this.#dead = true;
    for (const timer of this.#pending) timer.cancel();
    this.#pending.clear();
  }
}

/** What a runtime hangs onto its process. */
interface Guard {
  readonly event: "uncaughtException" | "unhandledRejection";
  readonly listener: (...args: unknown[]) => void;
}

function processGuards(): Guard[] {
  return (["uncaughtException", "unhandledRejection"] as const).flatMap((event) =>
    // Typed by event, which is of no interest to whoever only takes them off.
    process.rawListeners(event).map((listener) => ({ event, listener: listener as Guard["listener"] })),
  );
}

export class Life {
  readonly #options: LifeOptions;
  readonly #memory: MemoryStore;
  readonly #runtimeTimers: MortalTimers;
  readonly #agentTimers: MortalTimers;
  readonly #storeTimers: MortalTimers;
  readonly #clients = new Set<MemoryClient>();
  #guards: Guard[] = [];
  #runtime: Runtime | undefined;
  #alive = true;
  readonly #store: CrashableStore;
  #fault: Fault | undefined;
  /** Something may make the runtime refuse what is in order: an injected fault, or that it is being closed. */
  troubled = false;
  /** The runtime has said that its process must end. */
  doomed = false;

  constructor(options: LifeOptions) {
    const { timers } = options.world;
    this.#options = options;
    this.#memory = createMemoryStore(options.image);
    this.#store = createFaultyStore(this.#memory);
    this.#runtimeTimers = new MortalTimers(timers);
    this.#agentTimers = new MortalTimers(timers);
    this.#storeTimers = new MortalTimers(timers);
  }

  /** Starts the runtime. Resolves when it is up; time must be advanced for it. */
  async start(): Promise<void> {
    const { world, ledger, sabotage, agents, authenticate } = this.#options;
    const mortalWorld: World = { ...world, timers: this.#runtimeTimers };
    const disk = sabotage.disk?.(this.#slowed(this.#store)) ?? this.#slowed(this.#store);
    const store = ledger.around(disk);
    const before = new Set(processGuards().map(({ listener }) => listener));
    this.#runtime = await createRuntime({
      agents: agents(this.#agentTimers),
      store: sabotage.store?.(store) ?? store,
      artifacts: this.#slowArtifacts(),
      retention: { maxAgeSec: MAX_AGE_SEC },
      limits: {
        // So few that jobs wait for each other, and some find no room.
        maxRunningJobs: 4,
        maxRunningJobsPerPrincipal: 3,
        maxPendingJobs: 5,
        maxPendingJobsPerPrincipal: 4,
        // So little that sessions kept for their events have to go.
        maxParkedBytes: 4_096,
        maxParkedBytesPerPrincipal: 8_192,
      },
      authenticator: { authenticate: async ({ token }) => authenticate(token) },
      world: mortalWorld,
      resumeWindowSec: RESUME_WINDOW_SEC,
      heartbeatIntervalSec: HEARTBEAT_INTERVAL_SEC,
      onFatal: () => {
        this.doomed = true;
        this.#die();
      },
    });
    this.#guards = processGuards().filter(({ listener }) => !before.has(listener));
  }

  get jobsUnderWay(): number {
    return this.#runtime?.unfinished ?? 0;
  }

  /** Timers of the runtime itself; agents that sleep are not its affair. */
  get pendingTimers(): number {
    return this.#runtimeTimers.pending;
  }

  /** Held against the ledger when a life begins. */
  get bareStore(): Store {
    return this.#memory;
  }

  /** From now on commits wait. */
  hold(): void {
    this.#store.hold();
  }

  release(): void {
    this.#store.release();
  }

  /** The next commit fails: before anything is written, or, fatally, when all of it is. */
  breakNextCommit(fault: Fault): void {
    this.troubled = true;
    this.#fault = fault;
  }

  /** Commits go through again, and go well. */
  calm(): void {
    this.#fault = undefined;
    this.#store.release();
  }

  connect(): MemoryClient {
    const { world } = this.#options;
    const timers: Timers = {
      soon: (run) => (this.#isSlow() ? void world.timers.after(this.#delay(), run) : world.timers.soon(run)),
      after: (delayMs, run) => world.timers.after(delayMs, run),
    };
    const { server, client } = createMemoryConnectionPair({ timers, overloadBytes: OVERLOAD_BYTES });
    this.#clients.add(client);
    this.#runtime?.accept(this.#options.sabotage.connection?.(this.#tap(server)) ?? this.#tap(server));
    return client;
  }

  /** Ends everything at once. @returns what a restart would find. */
  async crash(survives: (batch: CommitBatch) => boolean): Promise<MemorySnapshot> {
    this.#die();
    const { world } = this.#options;
    // What the operating system had taken may still arrive; of a life that ended itself, nothing left in its last turn.
    for (const client of this.#clients) client.drop({ toClient: this.doomed ? 0 : world.drawInt(client.inFlight + 1) });
    return this.#store.crashImage(survives);
  }

  /** Closes the runtime as its owner would. Resolves when it is closed; time must be advanced for it. */
  async close(): Promise<void> {
    this.troubled = true;
    this.calm();
    await this.#runtime?.close();
  }

  /** The process of a closed runtime ends. @returns what the store kept. */
  end(): MemorySnapshot {
    this.#die();
    for (const client of this.#clients) client.drop({ toClient: client.inFlight });
    return this.#memory.snapshot();
  }

  #die(): void {
    this.#alive = false;
    for (const timers of [this.#runtimeTimers, this.#agentTimers, this.#storeTimers]) timers.die();
    // A process takes its handlers along.
    for (const { event, listener } of this.#guards) process.off(event, listener);
  }

  #isSlow(): boolean {
    return this.#options.world.draw() < SLOW;
  }

  #delay(): number {
    return 1 + this.#options.world.drawInt(SLOW_MS);
  }

  /** Resolves now or later; never again once the life is over. */
  #pause(): Promise<void> {
    if (!this.#alive) return new Promise(() => {});
    if (!this.#isSlow()) return Promise.resolve();
    return new Promise((resolve) => this.#storeTimers.after(this.#delay(), resolve));
  }

  #slowed(store: Store): Store {
    return layerStore(store, {
      commit: async (batch, forward) => {
        await this.#pause();
        if (this.#fault === "before") this.#store.failNext();
        else if (this.#fault === "after") this.#store.failAfterApply();
        this.#fault = undefined;
        const outcome = await forward(batch);
        await this.#pause();
        return outcome;
      },
      removeTrees: async (roots, forward) => {
        await this.#pause();
        const step = await forward(roots);
        // At once: others see it before the one who asked for it hears of it.
        await this.#options.ledger.enterRemoved(roots, this.#memory);
        await this.#pause();
        return step;
      },
      perform: async (operation) => {
        await this.#pause();
        const answer = await operation();
        await this.#pause();
        return answer;
      },
    });
  }

  /** Content arrives, is written and is looked up in its own time; a dead life puts and sweeps nothing. */
  #slowArtifacts(): Artifacts {
    const { contents } = this.#options;
    const inner = createMemoryArtifacts(contents);
    const pause = () => this.#pause();
    return {
      async put(content) {
        await pause();
        const kept = await inner.put(content);
        await pause();
        return kept;
      },
      async open(sha256, range) {
        await pause();
        return inner.open(sha256, range);
      },
      sweep: (findNamed) =>
        inner.sweep(async (digests) => {
          const named = await findNamed(digests);
          await pause();
          return named;
        }),
    };
  }

  /** Between the runtime and the network: what is sent is looked at, and the dead neither send nor hear. */
  #tap(server: Connection): Connection {
    const whileAlive =
      <Args extends unknown[]>(run: (...args: Args) => void) =>
      (...args: Args): void => {
        if (this.#alive) run(...args);
      };
    return {
      peer: server.peer,
      open: ({ frame, drained, closed }) =>
        server.open({ frame: whileAlive(frame), drained: whileAlive(drained), closed: whileAlive(closed) }),
      send: whileAlive((frames) => {
        for (const frame of frames) this.#options.onSend(frame);
        server.send(frames);
      }),
      get overloaded() {
        return server.overloaded;
      },
      close: whileAlive((code, reason) => server.close(code, reason)),
    };
  }
}
