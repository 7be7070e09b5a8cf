/**
 * `/metrics`: the runtime's numbers for Prometheus. They tell of everyone's work, though not what it is: for this very
 * machine, and for operators of the installation, who bring a token.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Registry } from "prom-client";
import type { Authenticator } from "../../identity/authenticator.ts";
import type { Visibility } from "../../identity/visibility.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Log } from "../../platform/log.ts";
import type { Peer } from "../../transports/connection.ts";
import { isLoopbackAddress } from "../../transports/host-check.ts";
import { answerJson, type HttpFace } from "../http-faces.ts";
import type { Gauged } from "./registry.ts";

export interface MetricsFaceOptions extends Gauged {
  readonly kernel: Pick<Kernel, "audit">;
  readonly authenticator: Authenticator;
  readonly visibility: Pick<Visibility, "operatesRuntime">;
  readonly log: Log;
}

interface Refusal {
  readonly status: number;
  readonly message: string;
}

const BEARER = /^Bearer +(\S+) *$/i;

export function createMetricsFace(options: MetricsFaceOptions): HttpFace {
  const { kernel, authenticator, visibility, log } = options;
  let registry: Promise<Registry> | undefined;
  /** Who asks meanwhile gets the same answer: a scrape looks at every session. */
  let scraping: Promise<string> | undefined;

  async function refuse({ headers }: IncomingMessage, peer: Peer): Promise<Refusal | undefined> {
    const { authorization } = headers;
    if (authorization === undefined && isLoopbackAddress(peer.address)) return undefined;
    const token = BEARER.exec(authorization ?? "")?.[1];
    if (token === undefined) {
      return { status: 401, message: "from another machine, send authorization: Bearer <token of an operator>" };
    }
    const principal = await authenticator.authenticate({ scheme: "bearer", token });
    if (principal === undefined) {
      kernel.audit({
        principal: null,
        action: "api.authenticate",
        job: null,
        owner: null,
        allowed: false,
        source: peer.address,
        details: { code: "UNAUTHENTICATED" },
      });
      return { status: 401, message: "the token is unknown, revoked or expired" };
    }
    // What concerns everyone is for those who run the installation, and not for operators of one tenant among others.
    if (visibility.operatesRuntime(principal)) return undefined;
    return { status: 403, message: "metrics tell of everyone: they are for operators of the installation" };
  }

  async function scrape(): Promise<string> {
    registry ??= import("./registry.ts").then(({ createRegistry }) => createRegistry(options));
    return (await registry).metrics();
  }

  async function answer(request: IncomingMessage, response: ServerResponse, peer: Peer): Promise<void> {
    if (request.method !== "GET" && request.method !== "HEAD") {
      const error = { message: "only GET and HEAD are allowed here" };
      return answerJson(request, response, 405, { error }, { allow: "GET, HEAD" });
    }
    const refusal = await refuse(request, peer);
    if (refusal !== undefined) {
      const { status, message } = refusal;
      const challenge: Record<string, string> =
        status === 401 ? { "www-authenticate": 'Bearer realm="leasehold"' } : {};
      return answerJson(request, response, status, { error: { message } }, challenge);
    }
    scraping ??= scrape().finally(() => {
      scraping = undefined;
    });
    const text = await scraping;
    const type = (await registry)?.contentType ?? "text/plain";
    response.writeHead(200, { "content-type": type, "cache-control": "no-store" });
    response.end(request.method === "HEAD" ? undefined : text);
  }

  return {
    prefix: "/metrics",
    handle(request, response, peer) {
      answer(request, response, peer).catch((error: unknown) => {
        log.error({ err: error }, "metrics could not be told");
        answerJson(request, response, 500, { error: { message: "the metrics could not be read; see the log" } });
      });
    },
  };
}
