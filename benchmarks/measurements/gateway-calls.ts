/** What the gateway adds to a call: latency one at a time, and calls a second, beside a bare reverse proxy to the same service. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { join, resolve } from "node:path";
import type { Bench, Measurement } from "../bench.ts";
import { type ChildServer, startServer } from "../child-server.ts";
import type { Findings } from "../results.ts";
import { percentile } from "../statistics.ts";
import { STREAM_TIMEOUT_MS, within } from "../within.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const IN_FLIGHT = 64;
/** One key may not have all calls that are in flight. */
const KEYS = 4;
const ADMIN_TOKEN = "benchmark-admin-token";
const BODY = JSON.stringify({
  model: "small",
  max_completion_tokens: 200,
  messages: [{ role: "user", content: "as short as a question ".repeat(20) }],
});

export const gatewayCalls: Measurement = {
  name: "gateway",
  async run(bench: Bench): Promise<Findings> {
    const sequential = bench.size(2_000, 30);
    const concurrent = bench.size(20_000, 200);
    await using servers = new AsyncDisposableStack();
    const server = (name: string, args: readonly string[], env = {}): Promise<ChildServer> =>
      startServer({ name, args, cwd: ROOT, env });
    const upstream = servers.use(await server("the service", ["benchmarks/upstream-server.ts"]));
    const proxy = servers.use(
      await server("the bare proxy", ["benchmarks/upstream-server.ts", "--proxy", upstream.url]),
    );
    const gateway = servers.use(
      await server("leasehold gateway", await gatewayCommand(bench, upstream.url), {
        LEASEHOLD_GATEWAY_TOKEN: ADMIN_TOKEN,
      }),
    );
    const keys = await mintKeys(gateway.url);
    const callers = { gateway: createCaller(gateway.url, keys), proxy: createCaller(proxy.url, keys) };

    const figures = {
      gateway: { p50: [] as number[], perSecond: [] as number[] },
      proxy: { p50: [] as number[], perSecond: [] as number[] },
    };
    for (const call of Object.values(callers)) await throughput(concurrent, call);
    for (let round = 0; round < bench.rounds; round++) {
      for (const name of ["gateway", "proxy"] as const) {
        figures[name].p50.push(percentile(await timesOf(sequential, callers[name]), 50));
        figures[name].perSecond.push(await throughput(concurrent, callers[name]));
      }
    }
    return {
      rows: [
        {
          what: "gateway: a call, sequential, p50",
          unit: "ms",
          leasehold: figures.gateway.p50,
          bare: figures.proxy.p50,
        },
        {
          what: `gateway: calls, ${IN_FLIGHT} in flight`,
          unit: "/s",
          leasehold: figures.gateway.perSecond,
          bare: figures.proxy.perSecond,
        },
      ],
      notes: ["Beside the gateway stands a bare reverse proxy in front of the same service: no ws echo, no disk."],
    };
  },
};

async function gatewayCommand(bench: Bench, upstream: string): Promise<readonly string[]> {
  const directory = await mkdtemp(join(bench.scratch, "gateway-"));
  const prices = join(directory, "prices.json");
  await writeFile(prices, JSON.stringify({ small: { currency: "USD", input: "0.25", output: "2" } }));
  const options = ["--upstream", upstream, "--prices", prices, "--port", "0", "--data", join(directory, "data")];
  return ["--conditions=leasehold-source", "src/cli/main.ts", "gateway", "--json", ...options];
}

async function mintKeys(url: string): Promise<readonly string[]> {
  const mint = async (nth: number): Promise<string> => {
    const response = await fetch(new URL("/keys", url), {
      method: "POST",
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      body: JSON.stringify({ alias: `bench-${nth}`, models: ["small"], cap: "1000000" }),
    });
    return ((await response.json()) as { key: string }).key;
  };
  return Promise.all(Array.from({ length: KEYS }, (_, nth) => mint(nth)));
}

/** A call by the next of the keys. It rejects unless it is answered. */
function createCaller(url: string, keys: readonly string[]): () => Promise<void> {
  const agent = new Agent({ keepAlive: true });
  const { hostname, port } = new URL(url);
  let nth = 0;
  return () =>
    new Promise((done, failed) => {
      const headers = {
        authorization: `Bearer ${keys[nth++ % keys.length]}`,
        "content-type": "application/json",
        "content-length": BODY.length,
      };
      const options = { agent, hostname, port, path: "/v1/chat/completions", method: "POST", headers };
      const sent = request(options, (response) => {
        response.resume().once("end", () => {
          if (response.statusCode === 200) done();
          else failed(new Error(`a call was answered with ${response.statusCode}`));
        });
      });
      sent.once("error", failed);
      sent.end(BODY);
    });
}

/** Milliseconds of each of `count` calls, one after the other. */
async function timesOf(count: number, call: () => Promise<void>): Promise<readonly number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const startedAt = performance.now();
    await call();
    times.push(performance.now() - startedAt);
  }
  return times;
}

/** Calls finished a second, with `IN_FLIGHT` under way at any time. */
async function throughput(count: number, call: () => Promise<void>): Promise<number> {
  let started = 0;
  const lane = async (): Promise<void> => {
    while (started++ < count) await call();
  };
  const startedAt = performance.now();
  await within(Promise.all(Array.from({ length: IN_FLIGHT }, lane)), STREAM_TIMEOUT_MS, `end of ${count} calls`);
  return (count / (performance.now() - startedAt)) * 1_000;
}
