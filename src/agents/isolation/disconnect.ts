/**
 * Keeps a process off the network, which Node's permission model does not yet: no connection, no port, no datagram, no name
 * looked up. All of Node's own code goes through these handles, and no agent has seen them before. To be called after
 * `confine`, and before any code of an agent is loaded.
 */
import dgram from "node:dgram";
import dns from "node:dns";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";
import { refusal, refuse, refuseHandle, replace } from "./confine.ts";

const SHOWN = "the network, without net.fetch or the like in the lease,";
/** What a handle may still do: end. */
const KEPT = ["constructor", "close", "ref", "unref", "hasRef"];

export function disconnect(): void {
  for (const handle of [tcpHandle(), udpHandle()]) {
    const methods = Object.getPrototypeOf(handle);
    for (const name of Object.getOwnPropertyNames(methods)) {
      const { value } = Object.getOwnPropertyDescriptor(methods, name) ?? {};
      if (typeof value === "function" && !KEPT.includes(name)) refuseHandle(methods, name);
    }
  }
  refuseNames(dns, (...args) => {
    const tell = args.at(-1);
    if (typeof tell !== "function") throw refusal(SHOWN);
    queueMicrotask(() => tell(refusal(SHOWN)));
  });
  refuseNames(dns.promises, async () => {
    throw refusal(SHOWN);
  });
  syncBuiltinESMExports();
}

function refuseNames(names: object, refused: (...args: unknown[]) => unknown): void {
  for (const [name, value] of Object.entries(names)) {
    if (name === "Resolver") refuse(names, name, SHOWN);
    else if (typeof value === "function") replace(names, name, refused);
  }
}

/** A socket has its handle from the moment it is to connect; where to, this one never learns. */
function tcpHandle(): object {
  const socket = new net.Socket();
  socket.connect({ host: "none", port: 1, lookup: () => {} });
  const { _handle: handle } = socket as unknown as { readonly _handle: object };
  socket.destroy();
  return handle;
}

/** By the symbol of its state: its own `_handle` warns of being used. */
function udpHandle(): object {
  const socket = dgram.createSocket("udp4");
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    const state = (socket as unknown as Readonly<Record<symbol, { readonly handle?: unknown } | undefined>>)[symbol];
    if (typeof state?.handle === "object" && state.handle !== null) {
      const { handle } = state;
      socket.close();
      return handle;
    }
  }
  throw new Error("this Node has no handle below its datagram sockets");
}
