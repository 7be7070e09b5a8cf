/**
 * The runtime as a guest on somebody's HTTP server: upgrades on `/arcp` and requests below our faces are ours, all else
 * goes to the server's own listeners, whenever they were added. We stand where the server tells its listeners of a
 * request, since a listener among others could not keep ours from them.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { ARCP_PATH, refuseUpgrade } from "../transports/websocket.ts";
import { createEntrance, type EntranceEnvironment, type EntranceRules } from "./entrance.ts";
import { findFace, pathOf } from "./http-faces.ts";

export interface AttachOptions extends EntranceRules {
  /** Prefixes of the HTTP faces to take over, such as `["/api"]`; none with `[]`. Default: all but `/` and `/metrics`. */
  readonly faces?: readonly string[];
}

export interface Attachment {
  /** Gives everything back. Connections that are open stay. Idempotent. */
  detach(): void;
}

/** Paths that a server has often given to something of its own. */
const THEIRS: readonly string[] = ["/", "/metrics"];

/** What the server is told, and by whom it is answered. */
type Emit = (event: string, ...args: unknown[]) => boolean;
/** Node 24.9 asks before it makes an upgrade of a request that has the headers of one. */
type ShouldUpgrade = (request: IncomingMessage) => boolean;

function isOurUpgrade(request: IncomingMessage): boolean {
  return pathOf(request) === ARCP_PATH;
}

interface UpgradeHearing {
  /** Call when an upgrade of ours has come. */
  came(): void;
  stop(): void;
}

/**
 * Has the server make upgrades of ours. It makes one only where somebody listens for upgrades, and where somebody
 * listens, others' requests that merely offer one (`h2c`) may become upgrades, too, which nobody would answer.
 */
function hearUpgrades(owner: Server): UpgradeHearing {
  const server: Server & { shouldUpgradeCallback?: ShouldUpgrade } = owner;
  const { shouldUpgradeCallback: before } = server;
  if (before !== undefined) {
    // Listens from the question to the upgrade it is about, and no longer: the owner is asked as if we were not there.
    const listener = (): void => {};
    const came = (): void => void server.off("upgrade", listener);
    let stopped = false;
    const asked: ShouldUpgrade = (request) => {
      came();
      if (stopped || !isOurUpgrade(request)) return before.call(server, request);
      server.on("upgrade", listener);
      return true;
    };
    server.shouldUpgradeCallback = asked;
    const stop = (): void => {
      stopped = true;
      if (server.shouldUpgradeCallback === asked) server.shouldUpgradeCallback = before;
    };
    return { came, stop };
  }
  const refuseOthers = (_request: IncomingMessage, socket: Duplex): void => {
    if (server.listenerCount("upgrade") === 1) refuseUpgrade(socket, 404, `Nothing is upgraded but ${ARCP_PATH}.`);
  };
  server.on("upgrade", refuseOthers);
  return { came() {}, stop: () => void server.off("upgrade", refuseOthers) };
}

/** @throws TypeError for an entry of `trustedProxies` that is no address and no network. */
export function attach(server: Server, options: AttachOptions, environment: EntranceEnvironment): Attachment {
  const { faces: wanted, ...rules } = options;
  const faces = environment.faces.filter(({ prefix }) => wanted?.includes(prefix) ?? !THEIRS.includes(prefix));
  const entrance = createEntrance(rules, { ...environment, faces });
  const upgrades = hearUpgrades(server);
  const before = server.emit;
  const pass: Emit = before.bind(server);
  let attached = true;

  function take(event: string, args: readonly unknown[]): boolean {
    const request = args[0] as IncomingMessage;
    if (event === "upgrade") {
      if (!isOurUpgrade(request)) return false;
      upgrades.came();
      entrance.upgrade(request, args[1] as Duplex, args[2] as Buffer);
      return true;
    }
    if (event !== "request" && event !== "checkContinue") return false;
    if (findFace(faces, request) === undefined) return false;
    const response = args[1] as ServerResponse;
    if (event === "checkContinue") response.writeContinue();
    entrance.answer(request, response);
    return true;
  }
  const emit: Emit = (event, ...args) => (attached && take(event, args)) || pass(event, ...args);
  server.emit = emit;

  return {
    detach() {
      if (!attached) return;
      attached = false;
      upgrades.stop();
      // Whoever came to stand there after us passes on to us: then we only stand aside.
      if (server.emit === emit) server.emit = before;
    },
  };
}
