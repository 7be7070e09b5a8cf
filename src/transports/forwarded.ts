/** What a reverse proxy says of the request it passes on: the addresses it came from, and whether it was encrypted. */

/** Which of its two forms the proxy writes. Only that one is read: the other could come from the client itself. */
export type ForwardedHeader = "x-forwarded-for" | "forwarded";

/** One step of a request's way, as the proxy at its end saw it. */
export interface Hop {
  /** Address of the step's beginning; undefined when the proxy hides it, or wrote none. */
  readonly address: string | undefined;
  readonly encrypted: boolean;
}

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

const ENCRYPTED_PROTOCOLS: ReadonlySet<string> = new Set(["https", "wss"]);

/**
 * A list in a header, and the parameters of one element; quoted parts may hold the separators. A quote that is not closed
 * reaches to the end, so that every part is looked at once: clients write much of this header, and may write anything.
 */
const ELEMENT = /(?:"(?:[^"\\]|\\.?)*(?:"|$)|[^",])+/gs;
const PARAMETER = /(?:"(?:[^"\\]|\\.?)*(?:"|$)|[^";])+/gs;
const QUOTED = /^"((?:[^"\\]|\\.)*)"$/s;

function textOf(headers: Headers, name: string): string {
  const value = headers[name];
  return typeof value === "string" ? value : (value ?? []).join(", ");
}

/** An address without brackets and port; undefined for `unknown`, `_hidden` and nonsense. */
function addressOf(node: string): string | undefined {
  const text = node.trim();
  const match = /^\[([0-9a-f:.]+)\](?::\d+)?$/i.exec(text) ?? /^(\d+\.\d+\.\d+\.\d+)(?::\d+)?$/.exec(text);
  if (match !== null) return match[1];
  return /^[0-9a-f:.]+$/i.test(text) && text.includes(":") ? text : undefined;
}

/** `X-Forwarded-For` and `-Proto`, which many proxies overwrite with one value: encrypted only if all values say so. */
function xForwardedHops(headers: Headers): readonly Hop[] {
  if (headers["x-forwarded-for"] === undefined) return [];
  const addresses = textOf(headers, "x-forwarded-for").split(",");
  const protocols = textOf(headers, "x-forwarded-proto").split(",");
  const encrypted = protocols.every((protocol) => ENCRYPTED_PROTOCOLS.has(protocol.trim().toLowerCase()));
  return addresses.map((address) => ({ address: addressOf(address), encrypted }));
}

/** RFC 7239. */
function forwardedHops(headers: Headers): readonly Hop[] {
  return [...textOf(headers, "forwarded").matchAll(ELEMENT)].map(([element]) => {
    const parameters = new Map<string, string>();
    for (const [parameter] of element.matchAll(PARAMETER)) {
      const [name = "", ...rest] = parameter.split("=");
      const value = rest.join("=").trim();
      const quoted = QUOTED.exec(value)?.[1];
      parameters.set(name.trim().toLowerCase(), quoted?.replace(/\\(.)/gs, "$1") ?? value);
    }
    return {
      address: addressOf(parameters.get("for") ?? ""),
      encrypted: ENCRYPTED_PROTOCOLS.has((parameters.get("proto") ?? "").toLowerCase()),
    };
  });
}

/** The steps of a request's way, the one that ended at the nearest proxy last. None when the header is missing. */
export function readHops(headers: Headers, header: ForwardedHeader): readonly Hop[] {
  return header === "forwarded" ? forwardedHops(headers) : xForwardedHops(headers);
}

/** What proxies add, each in its own fashion. No client has a reason to. */
const PROXY_HEADERS = [
  "forwarded",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-forwarded-server",
  "x-client-ip",
  "x-real-ip",
  "cf-connecting-ip",
  "true-client-ip",
] as const;

/** Whether the request says of itself that it came by a proxy. */
export function claimsProxy(headers: Headers): boolean {
  return PROXY_HEADERS.some((name) => headers[name] !== undefined);
}
