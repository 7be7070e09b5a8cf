/** Who is at the other end of an HTTP request: by its socket, or, where a trusted proxy passed it on, by its headers. */
import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";
import type { Peer } from "./connection.ts";
import { claimsProxy, type ForwardedHeader, readHops } from "./forwarded.ts";
import { isLoopbackAddress, plainAddress } from "./host-check.ts";

export interface ProxyRules {
  /**
   * Addresses and networks, such as `10.0.0.7` or `10.0.0.0/8`, of the reverse proxies in front of this port. What they
   * say of a client's address and of its encryption is believed, and nobody else's word. Default: none.
   */
  readonly trustedProxies?: readonly string[];
  /** The header these proxies set (`x-forwarded-for` includes `x-forwarded-proto`). Default: `x-forwarded-for`. */
  readonly forwardedHeader?: ForwardedHeader;
}

/** Tells a request's peer. Throws nothing. */
export type FindPeer = (request: IncomingMessage) => Peer;

/** The address of a client that nobody names. */
const UNKNOWN = "unknown";

function familyOf(address: string): "ipv4" | "ipv6" | undefined {
  const version = isIP(address);
  return version === 0 ? undefined : version === 4 ? "ipv4" : "ipv6";
}

/** @throws TypeError that names the entry which is no address and no network. */
function createAddressList(entries: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const entry of entries) {
    const [, network = "", prefix] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(entry.trim()) ?? [];
    const family = familyOf(network);
    const longest = family === "ipv4" ? 32 : 128;
    if (family === undefined || Number(prefix ?? 0) > longest) {
      throw new TypeError(
        `trustedProxies: ${JSON.stringify(entry)} is no address or network, such as 10.0.0.7 or 10.0.0.0/8`,
      );
    }
    list.addSubnet(network, prefix === undefined ? longest : Number(prefix), family);
  }
  return (address) => {
    const [withoutZone = ""] = address.split("%", 1);
    const family = familyOf(withoutZone);
    return family !== undefined && list.check(withoutZone, family);
  };
}

/** @throws TypeError for an entry of `trustedProxies` that is no address and no network. */
export function createFindPeer({ trustedProxies = [], forwardedHeader = "x-forwarded-for" }: ProxyRules): FindPeer {
  const isTrusted = createAddressList(trustedProxies);

  /** Never an address of ours for somebody elsewhere: being local gives rights. */
  function locate({ headers, httpVersion, socket }: IncomingMessage): Pick<Peer, "address" | "confidential"> {
    const direct = plainAddress(socket.remoteAddress ?? UNKNOWN);
    if (!isTrusted(direct)) {
      const isEncrypted = "encrypted" in socket && socket.encrypted === true;
      // By a proxy of this machine that nobody told us of: who is before it, and how far away, is not known. One that
      // adds no header at all gives itself away by HTTP/1.0, which nginx speaks unless told otherwise.
      const isProxied = claimsProxy(headers) || httpVersion === "1.0";
      if (isLoopbackAddress(direct) && isProxied) return { address: UNKNOWN, confidential: false };
      return { address: direct, confidential: isEncrypted || isLoopbackAddress(direct) };
    }
    // From our end backwards for as long as the hop's end is trusted: what lies before that, anybody may have written.
    const hops = readHops(headers, forwardedHeader).toReversed();
    let address = UNKNOWN;
    let confidential = hops.length > 0;
    let isHere = isLoopbackAddress(direct);
    for (const hop of hops) {
      confidential &&= hop.encrypted;
      address = plainAddress(hop.address ?? UNKNOWN);
      // Loopback of another machine, where a proxy saw it, or nobody did.
      if (isLoopbackAddress(address) && !isHere) address = UNKNOWN;
      isHere &&= isLoopbackAddress(address);
      if (!isTrusted(address)) break;
    }
    return { address, confidential };
  }

  return (request) => {
    const bearer = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? "")?.[1];
    return { ...locate(request), ...(bearer === undefined ? {} : { bearer }) };
  };
}
