/**
 * Which hosts and origins an upgrade may name. A browser lets any page open a WebSocket to this machine, and by DNS
 * rebinding a page can do so under a name of its own that resolves here; both betray themselves in these headers.
 * What sends no `Origin` is not a browser and is free to say what it likes: its token decides.
 */
import { isIP, isIPv6 } from "node:net";

export interface HostRules {
  /** Host names (without port) to be called by, beside loopback names and the address the connection came in on. */
  readonly allowedHosts?: readonly string[];
  /** Origins, such as `https://console.example.com`, whose pages may connect, beside those served from the same host. */
  readonly allowedOrigins?: readonly string[];
}

/** An address as the socket knows it, for comparison with others: IPv4 in IPv6's clothes is IPv4. */
export function plainAddress(address: string): string {
  return address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, "");
}

/** True for addresses that never leave this machine. */
export function isLoopbackAddress(address: string): boolean {
  const plain = plainAddress(address);
  return plain === "::1" || (isIP(plain) === 4 && plain.startsWith("127."));
}

function isLoopbackHost(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost") || isLoopbackAddress(hostname);
}

/** The name in a `Host` header: lower case, without port and brackets. Undefined when it is not a host. */
function hostnameOf(host: string): string | undefined {
  if (/[\s/@?#\\]/.test(host)) return undefined;
  return URL.parse(`http://${host}`)?.hostname.replace(/^\[|\]$/g, "");
}

function normalHost(host: string): string | undefined {
  return hostnameOf(isIPv6(host) ? `[${host}]` : host);
}

/** Longest name repeated in a refusal, which is logged, too: whoever knocks writes these. */
const MAX_NAME_SHOWN = 256;

function shown(name: string): string {
  return name.length > MAX_NAME_SHOWN ? `${name.slice(0, MAX_NAME_SHOWN)}…` : name;
}

/**
 * Why these headers are refused, as a sentence for the peer, or undefined when they are fine.
 * @param localAddress the address of ours that the connection came in on.
 */
export function refuseHost(
  headers: { readonly host?: string | undefined; readonly origin?: string | undefined },
  localAddress: string,
  rules: HostRules,
): string | undefined {
  const hostname = hostnameOf(headers.host ?? "");
  if (hostname === undefined) return "The Host header is missing or is not a host.";
  const isKnown =
    isLoopbackHost(hostname) ||
    hostname === plainAddress(localAddress) ||
    rules.allowedHosts?.some((host) => normalHost(host) === hostname);
  if (!isKnown)
    return `This server is not known as ${shown(hostname)}. Add the name to allowedHosts if it is meant to be.`;

  const { origin } = headers;
  if (origin === undefined) return undefined;
  if (rules.allowedOrigins?.some((allowed) => allowed.toLowerCase() === origin.toLowerCase())) return undefined;
  const page = URL.parse(origin)?.hostname.replace(/^\[|\]$/g, "");
  // Ports may differ: no cookie or other ambient right is honoured here that a neighbouring port could ride on.
  const isSameHost = page !== undefined && (page === hostname || (isLoopbackHost(page) && isLoopbackHost(hostname)));
  if (isSameHost) return undefined;
  return `Pages of origin ${shown(origin)} may not connect to ${shown(hostname)}. Add the origin to allowedOrigins if they are meant to.`;
}
