/** A gateway on a port of its own, in front of a test's upstream, with what a test needs of it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelPrices } from "../../agents/prices.ts";
import type { Log } from "../../platform/log.ts";
import { createSystemWorld } from "../../platform/system-world.ts";
import type { World } from "../../platform/world.ts";
import { createGateway, type GatewayOptions } from "./gateway.ts";
import { listenForGateway } from "./gateway-listener.ts";
import { startTestUpstream, type TestUpstream } from "./test-upstream.ts";

export const ADMIN_TOKEN = "admin-token-of-the-test";
export const UPSTREAM_KEY = "sk-upstream-very-secret";

/** For a million tokens: easy sums. */
export const PRICES: ModelPrices = {
  small: { currency: "USD", input: "1", output: "10", cachedInput: "0.1", reasoning: "20" },
  large: { currency: "USD", input: "100", output: "1000" },
  "open/*": { currency: "USD", input: "1", output: "1" },
};

/** What `CHAT_USAGE` of `small` costs: 15 + 0.5 + 60 + 80 millionths. */
export const CALL_COST = "0.0001555";

export interface KeyView {
  readonly id: string;
  readonly alias: string;
  readonly key: string;
  readonly spent: string;
  readonly held: string;
  readonly remaining: string;
  readonly revoked_at: string | null;
}

export interface TestGateway extends AsyncDisposable {
  readonly origin: string;
  readonly upstream: TestUpstream;
  readonly directory: string;
  /** What it logged, as JSON. */
  readonly logged: string[];
  admin(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: Record<string, never> }>;
  /** Mints a key. */
  mint(fields?: object): Promise<KeyView>;
  look(idOrAlias: string): Promise<KeyView>;
  /** Calls the gateway as a client does. */
  call(key: string, body: unknown, path?: string, init?: RequestInit): Promise<Response>;
  /** Closes the gateway, and opens it on the same directory. */
  restart(): Promise<void>;
}

export const PROMPT = { model: "small", messages: [{ role: "user", content: "what should I wear?" }] };

export async function startTestGateway(
  options: Partial<GatewayOptions> & { readonly clock?: World["clock"] } = {},
): Promise<TestGateway> {
  const upstream = await startTestUpstream();
  const directory = await mkdtemp(join(tmpdir(), "leasehold-gateway-"));
  const logged: string[] = [];
  const system = createSystemWorld();
  const world: World = { ...system, clock: options.clock ?? system.clock };
  const write = (fields: object, message: string): void =>
    void logged.push(
      JSON.stringify({ message, ...fields }, (_, value) => (value instanceof Error ? value.stack : value)),
    );
  const log: Log = { debug: write, info: write, warn: write, error: write };
  let aliases = 0;

  async function open() {
    const gateway = await createGateway({
      upstream: upstream.url,
      upstreamKey: UPSTREAM_KEY,
      prices: PRICES,
      adminToken: ADMIN_TOKEN,
      directory,
      world,
      log,
      onBroken: () => {},
      ...options,
    });
    return { gateway, listener: await listenForGateway(gateway, { host: "127.0.0.1", port: 0 }) };
  }
  let running = await open();

  async function close(): Promise<void> {
    const closed = running.listener.close();
    await running.gateway.close();
    running.listener.drop(true);
    await closed;
  }

  const test: TestGateway = {
    get origin() {
      return running.listener.origin;
    },
    upstream,
    directory,
    logged,
    async admin(method, path, body) {
      const response = await fetch(`${running.listener.origin}${path}`, {
        method,
        headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: (await response.json()) as Record<string, never> };
    },
    async mint(fields = {}) {
      const { status, body } = await test.admin("POST", "/keys", {
        alias: `job-${++aliases}`,
        models: ["small"],
        cap: "1",
        ...fields,
      });
      if (status !== 201) throw new Error(`no key: ${status} ${JSON.stringify(body)}`);
      return body as unknown as KeyView;
    },
    async look(idOrAlias) {
      return (await test.admin("GET", `/keys/${idOrAlias}`)).body as unknown as KeyView;
    },
    call: (key, body, path = "/v1/chat/completions", init = {}) =>
      fetch(`${running.listener.origin}${path}`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: typeof body === "string" ? body : JSON.stringify(body),
        ...init,
      }),
    async restart() {
      await close();
      running = await open();
    },
    async [Symbol.asyncDispose]() {
      await close();
      await upstream[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return test;
}

/** The code of a refusal. */
export async function refusalOf(response: Response): Promise<{ readonly status: number; readonly code: string }> {
  const { error } = (await response.json()) as { error: { code: string } };
  return { status: response.status, code: error.code };
}
