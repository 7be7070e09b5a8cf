/** What an HTTP server hands us, ours or another's: upgrades become connections, other requests go to the HTTP faces. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Log } from "../platform/log.ts";
import type { Clock, Timers } from "../platform/world.ts";
import type { Connection } from "../transports/connection.ts";
import type { HostRules } from "../transports/host-check.ts";
import { createFindPeer, type ProxyRules } from "../transports/peer.ts";
import { acceptWebSocket, refuseUpgrade } from "../transports/websocket.ts";
import type { ConnectionLimit } from "./connection-limit.ts";
import { answerHttp, type HttpFace } from "./http-faces.ts";
import { oneAtATime } from "./pipeline.ts";
import { RefusalLog } from "./refusal-log.ts";

/** Which requests are let in. */
export interface EntranceRules extends HostRules, ProxyRules {}

export interface EntranceEnvironment {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** What answers plain HTTP: the first whose prefix fits. */
  readonly faces: readonly HttpFace[];
  readonly limit: ConnectionLimit;
  /** True once the runtime has been told to stop: plain HTTP is answered still, and no WebSocket let in. */
  isClosing(): boolean;
  /** Takes charge of every accepted WebSocket. */
  accept(connection: Connection): void;
}

export interface Entrance {
  answer(request: IncomingMessage, response: ServerResponse): void;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** @throws TypeError for an entry of `trustedProxies` that is no address and no network. */
export function createEntrance(rules: EntranceRules, environment: EntranceEnvironment): Entrance {
  const { clock, timers, log, faces, limit, isClosing, accept } = environment;
  const refusals = new RefusalLog(log, clock);
  const findPeer = createFindPeer(rules);

  function admit(request: IncomingMessage, socket: Duplex, head: Buffer) {
    if (isClosing()) return refuseUpgrade(socket, 503, "This runtime is shutting down. Try again once it is back.");
    if (limit.admit(socket)) return acceptWebSocket(request, socket, head, { ...rules, timers, log, findPeer });
    return refuseUpgrade(socket, 503, `All ${limit.max} connections of this runtime are taken. Try again later.`);
  }

  return {
    answer: oneAtATime(timers, (request, response) =>
      answerHttp(faces, request, response, { peer: findPeer(request), rules, log }),
    ),
    upgrade(request, socket, head) {
      const outcome = admit(request, socket, head);
      if (outcome.accepted) return accept(outcome.connection);
      const { status, reason } = outcome;
      refusals.add({ status, reason, address: findPeer(request).address });
    },
  };
}
