/** What a measurement is, and what it is handed to measure with. */
import { BareClient } from "./bare-client.ts";
import { startServer } from "./child-server.ts";
import { RawClient, type Target } from "./raw-client.ts";
import type { Findings } from "./results.ts";

export interface Measurement {
  /** As given to `--only`. */
  readonly name: string;
  run(bench: Bench): Promise<Findings>;
}

/** A running server to connect to. Disposing of it ends it. */
export interface Server extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** `performance.now()` just before its process was made. */
  readonly spawnedAt: number;
}

export interface RuntimeServer extends Server, Target {}

export interface ServerOptions {
  /** So that its memory can be read after a collection. */
  readonly exposeGc?: boolean;
}

export interface Bench {
  readonly rounds: number;
  /** The first of two sizes in a full run, the second in a quick one. */
  size(full: number, quick: number): number;
  /** A directory on the disk that the runtime's data is on, gone when the run ends. */
  readonly scratch: string;
  /** Starts Leasehold in a process of its own, with an empty data directory and the benchmark agents. */
  startRuntime(options?: ServerOptions): Promise<RuntimeServer>;
  /** Starts the bare `ws` server in a process of its own. */
  startBare(options?: ServerOptions): Promise<Server>;
}

/** Starts `benchmarks/echo-server.ts`. @param root the repository. */
export async function startBareServer(root: string, { exposeGc = false }: ServerOptions = {}): Promise<Server> {
  return await startServer({
    name: "the bare ws server",
    args: [...(exposeGc ? ["--expose-gc"] : []), "benchmarks/echo-server.ts"],
    cwd: root,
  });
}

/** One client to each of two fresh servers, for measurements that need no more. Closing checks the runtime's stream. */
export async function startPair(bench: Bench, options?: ServerOptions): Promise<Pair> {
  await using started = new AsyncDisposableStack();
  const runtime = started.use(await bench.startRuntime(options));
  const bareServer = started.use(await bench.startBare(options));
  const client = await RawClient.connect(runtime);
  const bare = await BareClient.connect(bareServer.url);
  const servers = started.move();
  return {
    runtime,
    bareServer,
    client,
    bare,
    async stop() {
      await client.close();
      await bare.close();
    },
    [Symbol.asyncDispose]: () => servers.disposeAsync(),
  };
}

export interface Pair extends AsyncDisposable {
  readonly runtime: RuntimeServer;
  readonly bareServer: Server;
  readonly client: RawClient;
  readonly bare: BareClient;
  /** Closes both clients. @throws Error when a job has no terminal, or a second one. */
  stop(): Promise<void>;
}

/** Has a job emit `n` small events, and awaits its result. @throws Error when it emitted another number. */
export async function runChatty(client: RawClient, n: number): Promise<ChattyRun> {
  client.takeTally();
  const submittedAt = performance.now();
  const { payload, arrivedAt } = await client.run("chatty", { n, kind: "mixed" });
  const tally = client.takeTally();
  const { emitted } = (payload.result ?? {}) as { emitted?: number };
  if (emitted !== n) throw new Error(`chatty was to emit ${n} events and returned ${JSON.stringify(payload.result)}`);
  if (tally.frames <= n) throw new Error(`${tally.frames} frames arrived for ${n} events and a terminal`);
  return { tally, milliseconds: arrivedAt - submittedAt };
}

export interface ChattyRun {
  readonly tally: ReturnType<RawClient["takeTally"]>;
  /** From the submission to the terminal. */
  readonly milliseconds: number;
}
