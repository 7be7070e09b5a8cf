/** For tests: the whole runtime over memory under a fake world, with agents a test moves by hand. */
import { expect, onTestFinished } from "vitest";
import type { AgentContext } from "../agents/agent-context.ts";
import { type AgentDefinition, defineAgent } from "../agents/define-agent.ts";
import type { StandardSchema } from "../agents/standard-schema.ts";
import type { ObservePolicy } from "../identity/visibility.ts";
import type { Artifacts, Store } from "../kernel/ports.ts";
import type { Principal } from "../kernel/principal.ts";
import type { Log } from "../platform/log.ts";
import { createRuntime, type Runtime } from "../server/runtime.ts";
import { createMemoryStore } from "../stores/memory/memory-store.ts";
import { createFakeWorld, type FakeWorld } from "../testing/fake-world.ts";
import { CLOSE_TIMEOUT_MS } from "../transports/limits.ts";
import { createMemoryConnectionPair } from "../transports/memory.ts";
import type { SessionLimits } from "./limits.ts";
import { TestClient } from "./test-client.ts";

/** A token is its principal's id, and its tenant's before a `/`; `bad` is no token. Default tenant: `tests`. */
function authenticate(token: string | undefined, operators: ReadonlySet<string>): Principal | undefined {
  if (token === undefined || token === "bad") return undefined;
  const [id = "", tenant = "tests"] = token.split("/").reverse();
  return { id, tenant, roles: operators.has(token) ? ["user", "operator"] : ["user"] };
}

/** A job of the agent `puppet`, which does what the test says and nothing else. */
export interface Puppet {
  readonly ctx: AgentContext;
  finish(result?: unknown): void;
  fail(error: Error): void;
}

export interface TestRuntimeOptions {
  readonly world?: FakeWorld;
  readonly store?: Store;
  readonly artifacts?: Artifacts;
  readonly agents?: readonly AgentDefinition[];
  readonly resumeWindowSec?: number;
  readonly heartbeatIntervalSec?: number;
  readonly observe?: ObservePolicy;
  readonly operators?: readonly string[];
  readonly limits?: Partial<SessionLimits>;
}

export class TestRuntime {
  readonly world: FakeWorld;
  readonly store: Store;
  /** Lines an operator would see as errors. */
  readonly errors: string[] = [];
  /** Lines an operator would see as warnings, with what they say more. */
  readonly warnings: { readonly message: string; readonly fields: object }[] = [];
  /** Tokens that were good, and are not any more. */
  readonly revoked = new Set<string>();
  /** Tokens of operators. */
  readonly operators: Set<string>;
  /** While set, nobody can be authenticated: looking tokens up fails. */
  tokensAreUnreadable = false;
  /** Running jobs of the agent `puppet`, by id. */
  readonly puppets = new Map<string, Puppet>();
  readonly #options: TestRuntimeOptions;
  #runtime: Runtime | undefined;

  constructor(options: TestRuntimeOptions) {
    this.#options = options;
    this.world = options.world ?? createFakeWorld();
    this.store = options.store ?? createMemoryStore();
    this.operators = new Set(options.operators);
  }

  #authenticate(token: string | undefined): Principal | undefined {
    if (this.tokensAreUnreadable) throw new Error("tokens cannot be read");
    return token !== undefined && this.revoked.has(token) ? undefined : authenticate(token, this.operators);
  }

  async start(): Promise<this> {
    const starting = this.begin();
    await this.world.settle();
    return starting;
  }

  /** Starts as the world's turns go by. */
  async begin(): Promise<this> {
    const { resumeWindowSec, heartbeatIntervalSec, limits, agents = [] } = this.#options;
    this.#runtime = await createRuntime({
      agents: [echo, flood, streamer, createPuppet(this.puppets), createSlowCheck(this.world), ...agents],
      store: this.store,
      world: this.world,
      log: this.#log(),
      authenticator: { authenticate: async ({ token }) => this.#authenticate(token) },
      ...(this.#options.artifacts && { artifacts: this.#options.artifacts }),
      ...(this.#options.observe === undefined ? {} : { observe: this.#options.observe }),
      ...(resumeWindowSec === undefined ? {} : { resumeWindowSec }),
      ...(heartbeatIntervalSec === undefined ? {} : { heartbeatIntervalSec }),
      ...(limits === undefined ? {} : { limits }),
    });
    return this;
  }

  /** A connection without a first frame. */
  connect(options: { bearer?: string; overloadBytes?: number } = {}): TestClient {
    const { bearer, overloadBytes } = options;
    const pair = createMemoryConnectionPair({
      timers: this.world.timers,
      peer: { address: "memory", confidential: true, ...(bearer === undefined ? {} : { bearer }) },
      ...(overloadBytes === undefined ? {} : { overloadBytes }),
    });
    this.#running.accept(pair.server);
    return new TestClient(pair.client, this.world);
  }

  /** The puppet of a running job. */
  puppet(job: string): Puppet {
    const found = this.puppets.get(job);
    if (found === undefined) throw new Error(`no puppet runs job ${job}`);
    return found;
  }

  /** Ends the process as far as anyone can tell, politely: what was emitted is committed. The store is closed. */
  async close(): Promise<void> {
    const closing = this.#running.close();
    await this.world.settle();
    await closing;
    await this.world.settle();
  }

  /** Another process in the same world, with the same agents, on `store`. */
  restartOn(store: Store, changes: Partial<TestRuntimeOptions> = {}): Promise<TestRuntime> {
    return startTestRuntime({ ...this.#options, ...changes, world: this.world, store });
  }

  get #running(): Runtime {
    if (this.#runtime === undefined) throw new Error("the runtime was not started");
    return this.#runtime;
  }

  #log(): Log {
    const drop = (): void => {};
    return {
      debug: drop,
      info: drop,
      warn: (fields, message) => void this.warnings.push({ message, fields }),
      error: (_fields, message) => void this.errors.push(message),
    };
  }
}

/**
 * Starts a runtime that is closed when the test is over. It must not leave a timer behind, nor have logged an error
 * that the test did not clear from `errors`.
 */
export async function startTestRuntime(options: TestRuntimeOptions = {}): Promise<TestRuntime> {
  const runtime = await new TestRuntime(options).start();
  onTestFinished(async () => {
    await runtime.close();
    await runtime.world.advance(CLOSE_TIMEOUT_MS);
    expect({ timers: runtime.world.pendingTimers, errors: runtime.errors }).toEqual({ timers: 0, errors: [] });
  });
  return runtime;
}

/** Logs once and returns its input. */
const echo = defineAgent({
  name: "echo",
  version: "1.0.0",
  run: async (ctx, input) => {
    await ctx.log("echoing");
    return input;
  },
});

/** Emits `n` events of three kinds in turn, then returns how many. With `every`, waits for the disk that often. */
const flood = defineAgent({
  name: "flood",
  version: "1.0.0",
  run: async (ctx, input) => {
    const { n, every } = input as { n: number; every?: number };
    for (let index = 1; index <= n; index++) {
      if (index % 3 === 0) await ctx.progress({ current: index, total: n });
      else if (index % 3 === 1) await ctx.log(`line ${index}`);
      else await ctx.metric({ name: "lines", value: index });
      if (every !== undefined && index % every === 0) await ctx.flush();
    }
    return { emitted: n };
  },
});

/** Streams a result of three chunks. */
const streamer = defineAgent({
  name: "streamer",
  version: "1.0.0",
  run: async (ctx) => {
    const stream = ctx.streamResult();
    for (const part of ["one ", "two ", "three"]) await stream.write(part);
    return stream.end();
  },
});

function createPuppet(puppets: Map<string, Puppet>): AgentDefinition {
  return defineAgent({
    name: "puppet",
    version: "1.0.0",
    run: (ctx) =>
      new Promise((resolve, reject) => {
        puppets.set(ctx.jobId, { ctx, finish: resolve, fail: reject });
        ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason));
      }),
  });
}

/** Takes `checkMs` of its input to check it, and refuses it when it says `bad`. Then logs once. */
function createSlowCheck(world: FakeWorld): AgentDefinition {
  const schema: StandardSchema = {
    "~standard": {
      version: 1,
      vendor: "leasehold-tests",
      validate: (value) =>
        new Promise((resolve) => {
          const { checkMs = 0, bad = false } = value as { checkMs?: number; bad?: boolean };
          world.timers.after(checkMs, () => resolve(bad ? { issues: [{ message: "is bad" }] } : { value }));
        }),
    },
  };
  return defineAgent({
    name: "slow-check",
    version: "1.0.0",
    input: schema,
    run: async (ctx) => {
      await ctx.log("checked");
      return "done";
    },
  });
}
