/** The API on the one port: everything under `/api`. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Peer } from "../transports/connection.ts";
import { HttpError, refusalOf } from "./api-error.ts";
import type { ApiOptions } from "./api-options.ts";
import type { Api } from "./app.ts";

export interface ApiFace {
  readonly prefix: "/api";
  /** Answers, once the API is there. Host and origin have been checked. Throws nothing. */
  handle(request: IncomingMessage, response: ServerResponse, peer: Pick<Peer, "address">): void;
  /** Refuses requests from now on, and ends answers that go on; see `Followers.close`. */
  close(): Promise<void> | undefined;
}

export function createApiFace(options: ApiOptions): ApiFace {
  let building: Promise<Api> | undefined;
  let api: Api | undefined;
  let closed = false;
  /** The port knows better than the socket, where there is a proxy before it. */
  const addresses = new WeakMap<IncomingMessage, string>();

  /**
   * What the API stands on takes a fifth of a second to load: not on the way to the first job, and in pieces, between
   * which everyone else has a turn.
   */
  const build = async (): Promise<Api> => {
    for (const load of [() => import("fastify"), () => import("typebox"), () => import("typebox/compile")]) {
      await load();
      await new Promise<void>((resolve) => options.world.timers.soon(resolve));
    }
    const { buildApi } = await import("./app.ts");
    api = await buildApi(options, (request) => addresses.get(request) ?? "unknown");
    if (closed) void api.close();
    return api;
  };

  const refuse = (response: ServerResponse, error: unknown): void => {
    const refusal = refusalOf(error);
    response.writeHead(refusal.status, { "content-type": "application/json; charset=utf-8" });
    response.end(JSON.stringify({ error: { ...refusal.error, request_id: options.world.ids.next("req") } }));
  };

  return {
    prefix: "/api",
    handle(request, response, { address }) {
      if (closed) return refuse(response, new HttpError(503, "INTERNAL_ERROR", "the runtime is shutting down"));
      addresses.set(request, address);
      if (api !== undefined) return api.app.routing(request, response);
      building ??= build();
      building.then(
        ({ app }) => app.routing(request, response),
        (error: unknown) => {
          building = undefined;
          options.log.error({ err: error }, "the API could not be loaded");
          refuse(response, error);
        },
      );
    },
    close() {
      closed = true;
      return api?.close();
    },
  };
}
