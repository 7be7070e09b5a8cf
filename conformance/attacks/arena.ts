/**
 * Where attacks are tried: the whole runtime over a store in memory, in a world under the test's control, and raw
 * clients of several principals. A crash keeps what was acknowledged, and starts the next runtime on it.
 */
import { setImmediate } from "node:timers/promises";
import type { AgentContext } from "../../src/agents/agent-context.ts";
import { type AgentDefinition, defineAgent } from "../../src/agents/define-agent.ts";
import type { JobRecord } from "../../src/kernel/job/job-record.ts";
import type { JobLimits } from "../../src/kernel/job/limits.ts";
import type { CommitBatch } from "../../src/kernel/ports.ts";
import { FEATURES } from "../../src/protocol/features.ts";
import { createRuntime, type Runtime } from "../../src/server/runtime.ts";
import type { RuntimeOptions } from "../../src/server/runtime-options.ts";
import { createMemoryArtifacts } from "../../src/stores/artifacts/memory-artifacts.ts";
import { createMemoryStore, type MemorySnapshot } from "../../src/stores/memory/memory-store.ts";
import { createFakeWorld, type FakeWorld } from "../../src/testing/fake-world.ts";
import { type CrashableStore, createFaultyStore } from "../../src/testing/faulty-store.ts";
import { createMemoryConnectionPair } from "../../src/transports/memory.ts";

type Run = (ctx: AgentContext, input: never) => unknown;

export interface ArenaOptions {
  /** By name; all of version 1.0.0. */
  readonly agents: Readonly<Record<string, Run>>;
  /** Names of agents that run again after a crash. */
  readonly persistent?: readonly string[];
  readonly limits?: Partial<JobLimits>;
  readonly observe?: RuntimeOptions["observe"];
  readonly policy?: RuntimeOptions["policy"];
  readonly requireModelUse?: boolean;
}

export interface SubmitAsk {
  readonly input?: unknown;
  readonly lease?: unknown;
  readonly constraints?: unknown;
  readonly key?: string;
  /** Fields of the payload besides. */
  readonly more?: object;
}

interface Frame {
  readonly type: string;
  readonly job_id?: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** An answer: a job's id, or why there is none. */
export interface Answer {
  readonly job: string;
  readonly code: string | undefined;
  readonly frame: Frame;
}

interface Entry {
  readonly kind: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** The JSON text, with its numbers as they were written. */
  readonly text: string;
}

/** By `x-leasehold.control` an owner may stop more than a session has submitted. */
const SPOKEN = FEATURES.filter((feature) => feature !== "x-leasehold.control");
/** More than anything takes that no time has to pass for. */
const MOST_TURNS = 10_000;
/** Longer than a runtime takes to close. */
const CLOSING_TURNS = 1_000;
const TURN_MS = 20;

export class Arena implements AsyncDisposable {
  readonly world: FakeWorld;
  readonly #options: ArenaOptions;
  #store: CrashableStore;
  readonly #runtimes: { readonly runtime: Runtime; readonly store: CrashableStore }[] = [];

  private constructor(options: ArenaOptions) {
    this.#options = options;
    this.world = createFakeWorld();
    this.#store = createFaultyStore(createMemoryStore());
  }

  static async open(options: ArenaOptions): Promise<Arena> {
    const arena = new Arena(options);
    await arena.#start(undefined);
    return arena;
  }

  get store(): CrashableStore {
    return this.#store;
  }

  /** A welcomed session of a principal, with every feature but control. */
  async connect(principal = "ada"): Promise<Client> {
    const client = new Client(this, principal);
    await client.hello();
    return client;
  }

  /** The end of the process, of whose commits under way those survive that `survives` says yes to, and the next one's start. */
  async crash(survives: (batch: CommitBatch) => boolean = () => false): Promise<void> {
    const image = await this.#store.crashImage(survives);
    // The old one goes on in a store that nobody reads.
    this.#store.hold();
    await this.#start(image);
  }

  /** Lets what is due happen, files included, and no time pass, until `condition` holds. */
  async until(condition: () => boolean): Promise<void> {
    for (let turn = 0; !condition(); turn++) {
      if (turn === MOST_TURNS) throw new Error("what was waited for did not come");
      await this.world.settle();
      await setImmediate();
    }
  }

  accept(connection: Parameters<Runtime["accept"]>[0]): void {
    this.#runtimes.at(-1)?.runtime.accept(connection);
  }

  async job(id: string): Promise<JobRecord> {
    const record = await this.#store.readJob(id);
    if (record === undefined) throw new Error(`there is no job ${id}`);
    return record;
  }

  /** Jobs that have this one as their parent, oldest first. */
  async children(parent: string): Promise<readonly JobRecord[]> {
    const { jobs } = await this.#store.listJobs({ principals: ["t/ada", "t/eve"], limit: 10_000 });
    return jobs.filter((job) => job.parent === parent).toReversed();
  }

  async log(job: string): Promise<readonly Entry[]> {
    const chunks = await this.#store.readChunks({ job, after: 0, limit: 100_000 });
    return chunks.flatMap(({ payloads }) =>
      payloads.map((text) => {
        const payload = JSON.parse(text) as { kind?: string; body?: Entry["body"] };
        return { kind: payload.kind ?? "terminal", body: payload.body ?? (payload as Entry["body"]), text };
      }),
    );
  }

  /** Codes of the refusals on a job's log, in order. */
  async refusals(job: string): Promise<readonly string[]> {
    const errors = (await this.log(job)).map(({ body }) => (body as { error?: { code: string } }).error?.code);
    return errors.filter((code) => code !== undefined);
  }

  /** What the store has for a job's own counters: currency → `{ spent, held }`. */
  async counters(job: string): Promise<Readonly<Record<string, { spent: string; held: string }>>> {
    const row = (await this.#store.readBudgets([job])).get(job);
    return row === undefined ? {} : JSON.parse(row.counters);
  }

  /** Those that crashed are closed as well: they hold on to this process. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { runtime, store } of this.#runtimes) {
      store.release();
      let isClosed = false;
      const closing = runtime.close().finally(() => {
        isClosed = true;
      });
      closing.catch(() => {});
      for (let turn = 0; !isClosed && turn < CLOSING_TURNS; turn++) {
        await this.world.advance(TURN_MS);
        await setImmediate();
      }
    }
  }

  async #start(image: MemorySnapshot | undefined): Promise<void> {
    const { agents, persistent = [], limits, observe, policy, requireModelUse } = this.#options;
    this.#store = createFaultyStore(createMemoryStore(image));
    const definitions: AgentDefinition[] = Object.entries(agents).map(([name, run]) =>
      defineAgent({
        name,
        version: "1.0.0",
        ...(persistent.includes(name) && { restart: "always" as const }),
        run: (ctx, input) => run(ctx as AgentContext, input as never),
      }),
    );
    const starting = createRuntime({
      agents: definitions,
      store: this.#store,
      artifacts: createMemoryArtifacts(new Map()),
      authenticator: {
        authenticate: async ({ token }) =>
          token === undefined ? undefined : { id: token, tenant: "t", roles: ["user"] },
      },
      ...(limits && { limits }),
      ...(observe && { observe }),
      ...(policy && { policy }),
      ...(requireModelUse !== undefined && { requireModelUse }),
      world: this.world,
      onFatal: () => {},
    });
    let isUp = false;
    void starting.then(() => {
      isUp = true;
    });
    await this.until(() => isUp);
    this.#runtimes.push({ runtime: await starting, store: this.#store });
  }
}

/** One session that speaks raw frames. */
export class Client {
  readonly #arena: Arena;
  readonly #token: string;
  readonly #line: ReturnType<typeof createMemoryConnectionPair>;
  readonly frames: Frame[] = [];
  #requests = 0;

  constructor(arena: Arena, token: string) {
    this.#arena = arena;
    this.#token = token;
    this.#line = createMemoryConnectionPair({ timers: arena.world.timers });
    arena.accept(this.#line.server);
    this.#line.client.open({
      frame: (text) => {
        const frame = JSON.parse(text) as Frame;
        if (frame.type === "session.ping") this.send("session.pong", { ping_nonce: frame.payload.nonce });
        this.frames.push(frame);
      },
      closed() {},
    });
  }

  hello(): Promise<Frame> {
    return this.request("session.hello", { auth: { token: this.#token }, capabilities: { features: SPOKEN } });
  }

  send(type: string, payload: object): string {
    const id = `r${++this.#requests}`;
    this.#line.client.send(JSON.stringify({ arcp: "1.1", id, type, payload }));
    return id;
  }

  /** Time stands still until it is answered. */
  async request(type: string, payload: object): Promise<Frame> {
    const id = this.send(type, payload);
    const answer = (): Frame | undefined => this.frames.find(({ payload }) => payload.request_id === id);
    await this.#arena.until(() => answer() !== undefined);
    // There, as was waited for.
    return answer() as Frame;
  }

  async submit(agent: string, { input = {}, lease, constraints, key, more }: SubmitAsk = {}): Promise<Answer> {
    const frame = await this.request("job.submit", {
      agent,
      input,
      ...(lease === undefined ? {} : { lease_request: lease }),
      ...(constraints === undefined ? {} : { lease_constraints: constraints }),
      ...(key === undefined ? {} : { idempotency_key: key }),
      ...more,
    });
    return answerOf(frame);
  }

  /** Asks something about a job. */
  async ask(type: "job.cancel" | "job.subscribe", job: string): Promise<Answer> {
    return answerOf(await this.request(type, { job_id: job }));
  }
}

function answerOf(frame: Frame): Answer {
  const { code, job_id: job } = frame.payload;
  return { job: String(job ?? frame.job_id), code: code === undefined ? undefined : String(code), frame };
}

/** What a promise was rejected with, as the code an agent sees; `"none"` when it was not. */
export async function codeOf(attempt: () => unknown): Promise<string> {
  try {
    await attempt();
    return "none";
  } catch (error) {
    return String((error as { code?: unknown }).code ?? error);
  }
}
