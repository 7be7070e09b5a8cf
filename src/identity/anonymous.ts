/** Whoever brings no token: one principal for all of them, and only when asked for, from this very machine. */
import type { Principal } from "../kernel/principal.ts";
import { isLoopbackAddress } from "../transports/host-check.ts";
import { DEFAULT_TENANT } from "./token-record.ts";

/** Never an operator: anybody on this machine can be it. */
export const ANONYMOUS: Principal = { id: "anonymous", tenant: DEFAULT_TENANT, roles: ["user"] };

/**
 * A token that is presented must be good: whoever brings a wrong one is not let in as nobody.
 * @param address of the client; behind a proxy, as the proxy tells it.
 */
export function isAnonymous(token: string | undefined, address: string | undefined): boolean {
  return (token ?? "") === "" && address !== undefined && isLoopbackAddress(address);
}

/** @throws Error when a runtime that lets anybody in is to be reached from elsewhere. */
export function requireLoopback(host: string): void {
  if (host === "localhost" || isLoopbackAddress(host)) return;
  throw new Error(
    `refusing to listen on ${host} with anonymous callers allowed: listen on 127.0.0.1, or have everyone bring a token`,
  );
}
