/**
 * The gateway: a reverse proxy in front of a service that speaks the OpenAI API. It takes only keys that it minted, holds
 * each to its models, its cap and its time, and knows what each has spent. Standing alone: a ledger, no runtime.
 */
import { hash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ModelPrices } from "../../agents/prices.ts";
import { StoreError } from "../../kernel/store-error.ts";
import type { Log } from "../../platform/log.ts";
import type { World } from "../../platform/world.ts";
import { isLoopbackAddress } from "../../transports/host-check.ts";
import { createAdmin, notAllowed } from "./admin.ts";
import type { CallSettings } from "./call-body.ts";
import { createCalls } from "./calls.ts";
import { ENDPOINTS } from "./endpoints.ts";
import { createKeys, type GatewayKey, unknownKey } from "./keys.ts";
import { openLedger } from "./ledger.ts";
import { createModelList } from "./model-list.ts";
import { createModels, modelNotFound } from "./models.ts";
import { answerError, answerJson, GatewayError } from "./openai-error.ts";
import { createBodyReader } from "./request-body.ts";
import { createTally } from "./tally.ts";
import { createUpstream } from "./upstream.ts";

export interface GatewayOptions {
  /** Where the service's API is, such as `https://api.openai.com/v1`. */
  readonly upstream: string;
  /** What the service knows the gateway by. Default: nothing is sent. */
  readonly upstreamKey?: string;
  /** In one currency. A model without a price is not called. */
  readonly prices: ModelPrices;
  /** What opens the admin API. */
  readonly adminToken: string;
  /** Taken for this process until the gateway is closed. */
  readonly directory: string;
  /** Default: `DEFAULT_SETTINGS`. */
  readonly settings?: Partial<CallSettings>;
  readonly world: World;
  readonly log: Log;
  /** Called when nobody knows any more what is on the disk: the process must end. */
  readonly onBroken: (error: unknown) => void;
}

export const DEFAULT_SETTINGS: CallSettings = {
  defaultOutputTokens: 4_096,
  outputLimitField: "max_completion_tokens",
  imageTokens: 50_000,
  allowedFields: new Set(),
};

export interface Gateway {
  /** Answers a request. Throws nothing. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Calls under way. */
  readonly underWay: number;
  /** Gives up calls under way, and settles them. */
  close(): Promise<void>;
}

const BASE = "/v1";
const BEARER = /^Bearer +(\S+) *$/i;

/** @throws RangeError for prices or an address that make no sense; StoreError when the directory cannot be used. */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const { upstreamKey, world, log } = options;
  const models = createModels(options.prices);
  const upstream = await createUpstream(options.upstream, upstreamKey);
  let broken = false;
  const ledger = openLedger(options.directory, world.timers, (error) => {
    broken = true;
    options.onBroken(error);
  });
  const keys = createKeys(ledger, world, models.currency);
  const bodies = createBodyReader();
  const settings = { ...DEFAULT_SETTINGS, ...options.settings };
  const clean = (text: string): string => (upstreamKey ? text.replaceAll(upstreamKey, "[redacted]") : text);
  const calls = createCalls({ keys, models, upstream, settings, bodies, world, log, clean });
  const list = createModelList(upstream, models, world);
  const admin = createAdmin({ keys, currency: models.currency, bodies, clock: world.clock, log });
  const tally = createTally();
  const adminHash = digestOf(options.adminToken);
  const working = new Set<Promise<void>>();

  function bearerOf({ headers }: IncomingMessage): string | undefined {
    return BEARER.exec(headers.authorization ?? "")?.[1];
  }

  function requireKey(request: IncomingMessage): GatewayKey {
    const value = bearerOf(request);
    const key = value === undefined ? undefined : keys.authenticate(value);
    if (key === undefined) throw unknownKey();
    keys.assertLive(key);
    return key;
  }

  function requireAdmin(request: IncomingMessage): void {
    if (timingSafeEqual(digestOf(bearerOf(request) ?? ""), adminHash)) return;
    throw new GatewayError(401, "invalid_admin_token", "send authorization: Bearer <admin token>");
  }

  async function answerModels(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const key = requireKey(request);
    if (request.method !== "GET") throw notAllowed("GET");
    const data = await list.of(key);
    if (path === "/models") return answerJson(response, 200, { object: "list", data });
    const id = path.slice("/models/".length);
    const found = data.find((model) => model.id === id);
    if (found === undefined) throw modelNotFound(id, "does not exist, or is not this key's");
    answerJson(response, 200, found);
  }

  async function answer(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = url;
    if (pathname === "/keys" || pathname.startsWith("/keys/")) {
      requireAdmin(request);
      return admin(url, request, response);
    }
    const path = pathname.startsWith(`${BASE}/`) ? pathname.slice(BASE.length) : "";
    if (path === "/models" || path.startsWith("/models/")) return answerModels(path, request, response);
    const endpoint = ENDPOINTS.find((candidate) => candidate.path === path);
    if (endpoint === undefined) {
      throw new GatewayError(404, "not_found", `nothing is here; the API is under ${BASE}, keys are under /keys`);
    }
    const key = requireKey(request);
    if (request.method !== "POST") throw notAllowed("POST");
    await calls.answer(endpoint, key, request, response);
  }

  function refuse(response: ServerResponse, error: unknown): void {
    if (error instanceof GatewayError) {
      tally.count(error.status < 500 ? "refused" : "failed");
      return answerError(response, error);
    }
    tally.count("failed");
    if (!response.destroyed) log.error({ err: error }, "a request failed");
    const isDisk = error instanceof StoreError;
    const message = isDisk ? "what this costs cannot be kept" : "the gateway failed while answering";
    const code = isDisk ? "ledger_unavailable" : "internal_error";
    answerError(response, new GatewayError(isDisk ? 503 : 500, code, message, { type: "server_error" }));
  }

  function answerUnasked({ pathname }: URL, request: IncomingMessage, response: ServerResponse): boolean {
    if (request.method !== "GET" && request.method !== "HEAD") return false;
    if (pathname === "/healthz") {
      answerJson(response, broken ? 503 : 200, { status: broken ? "broken" : "ok" });
      return true;
    }
    if (pathname !== "/metrics") return false;
    if (!isLoopbackAddress(request.socket.remoteAddress ?? "")) requireAdmin(request);
    response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
    response.end(tally.text({ calls: calls.underWay, keys: keys.size }));
    return true;
  }

  return {
    get underWay() {
      return calls.underWay;
    },
    handle(request, response) {
      response.on("error", () => {});
      const url = URL.parse(request.url ?? "", "http://gateway");
      try {
        if (url === null) throw new GatewayError(400, "invalid_request", "the request's address makes no sense");
        if (answerUnasked(url, request, response)) return;
      } catch (error) {
        return refuse(response, error);
      }
      const work = answer(url, request, response).then(
        () => tally.count("answered"),
        (error: unknown) => refuse(response, error),
      );
      working.add(work);
      void work.finally(() => working.delete(work));
    },
    async close() {
      calls.endAll();
      await Promise.allSettled(working);
      upstream.close();
      ledger.close();
    },
  };
}

function digestOf(token: string): Buffer {
  return hash("sha256", token, "buffer");
}
