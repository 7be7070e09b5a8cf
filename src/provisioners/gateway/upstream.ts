/**
 * The service behind the gateway. Redirects are not followed, since they would carry the key elsewhere, and a request is
 * never sent twice. Connections are kept.
 */
import { Agent, type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";

export interface Upstream {
  /** As it was given, without credentials. */
  readonly url: string;
  /** @param body none for a GET. */
  send(path: string, body: Buffer | undefined, headers: Readonly<Record<string, string>>): Sent;
  /** Closes connections that are idle. */
  close(): void;
}

/** A connection that nothing uses for so long is closed, before the service does so while a call is on its way. */
const IDLE_CONNECTION_MS = 15_000;

export interface Sent {
  /** @throws Error when no answer comes. */
  readonly answer: Promise<IncomingMessage>;
  /** False while nothing can have arrived: there was no connection. */
  readonly left: boolean;
  /** Gives the request up, and the answer with it. */
  abort(reason: Error): void;
}

/**
 * @param base where its API is, such as `https://api.openai.com/v1`.
 * @param key what it knows the gateway by; undefined for one that asks for nothing.
 * @throws RangeError for an address that cannot be one.
 */
export async function createUpstream(base: string, key: string | undefined): Promise<Upstream> {
  const url = URL.parse(base);
  if (url === null || !/^https?:$/.test(url.protocol)) throw new RangeError(`${base} is no http or https address`);
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new RangeError("the upstream's address must have no user, password, query or fragment");
  }
  const prefix = url.pathname.replace(/\/+$/, "");
  const secure = url.protocol === "https:" ? await import("node:https") : undefined;
  const kept = { keepAlive: true, timeout: IDLE_CONNECTION_MS };
  const agent = secure === undefined ? new Agent(kept) : new secure.Agent(kept);
  const request = secure?.request ?? requestHttp;
  // Asked for as it is: what is compressed could not be read on its way.
  const always = {
    accept: "application/json, text/event-stream",
    "accept-encoding": "identity",
    "user-agent": "leasehold-gateway",
  };
  const authorization: Readonly<Record<string, string>> = key === undefined ? {} : { authorization: `Bearer ${key}` };

  return {
    url: url.href,
    send(path, body, headers) {
      const answer = Promise.withResolvers<IncomingMessage>();
      // Nobody may be waiting for it any more when it fails.
      answer.promise.catch(() => {});
      let left = false;
      const sending: ClientRequest = request(
        {
          agent,
          host: url.hostname.replace(/^\[|\]$/g, ""),
          port: url.port,
          path: `${prefix}${path}`,
          method: body === undefined ? "GET" : "POST",
          headers: {
            ...headers,
            ...always,
            ...authorization,
            ...(body === undefined
              ? {}
              : { "content-type": "application/json", "content-length": String(body.length) }),
          },
        },
        answer.resolve,
      );
      sending.once("error", answer.reject);
      sending.once("socket", (socket) => {
        if (!socket.connecting) left = true;
        else
          socket.once(secure === undefined ? "connect" : "secureConnect", () => {
            left = true;
          });
      });
      sending.end(body);
      return {
        answer: answer.promise,
        get left() {
          return left;
        },
        abort: (reason) => void sending.destroy(reason),
      };
    },
    close: () => agent.destroy(),
  };
}
