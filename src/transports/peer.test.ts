import { type IncomingHttpHeaders, IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { createFindPeer, type ProxyRules } from "./peer.ts";

interface From {
  readonly address?: string;
  readonly headers?: IncomingHttpHeaders;
  readonly encrypted?: boolean;
  /** Default: that of no request in particular. */
  readonly httpVersion?: string;
}

function requestFrom({ address = "127.0.0.1", headers = {}, encrypted, httpVersion }: From): IncomingMessage {
  const socket = new Socket();
  Object.defineProperty(socket, "remoteAddress", { value: address });
  const request = new IncomingMessage(encrypted === undefined ? socket : Object.assign(socket, { encrypted }));
  Object.assign(request.headers, headers);
  if (httpVersion !== undefined) request.httpVersion = httpVersion;
  return request;
}

const find = (rules: ProxyRules, from: From) => createFindPeer(rules)(requestFrom(from));

describe("without a trusted proxy", () => {
  test.each<[string, From, boolean]>([
    ["loopback is confidential", {}, true],
    ["so is TLS", { address: "203.0.113.9", encrypted: true }, true],
    ["another address is not", { address: "203.0.113.9" }, false],
    ["nor loopback that a proxy passes on", { headers: { "x-forwarded-for": "203.0.113.9" } }, false],
    ["nor with the other header", { headers: { forwarded: "for=203.0.113.9;proto=https" } }, false],
    ["nor with the scheme alone", { headers: { "x-forwarded-proto": "https" } }, false],
    ["nor with a header of its own", { headers: { "x-real-ip": "203.0.113.9" } }, false],
    ["nor with no word on the client", { headers: { via: "1.1 proxy" } }, false],
  ])("%s", (_, from, confidential) => {
    const address = from.headers === undefined ? (from.address ?? "127.0.0.1") : "unknown";
    expect(find({}, from)).toEqual({ address, confidential });
  });

  test("loopback in HTTP/1.0 is a proxy that says nothing, and nobody before it is local", () => {
    expect(find({}, { httpVersion: "1.0" })).toEqual({ address: "unknown", confidential: false });
    expect(find({}, { httpVersion: "1.1" })).toEqual({ address: "127.0.0.1", confidential: true });
  });

  test("what a client says of itself is not believed", () => {
    const headers = {
      "x-forwarded-for": "10.0.0.1",
      "x-forwarded-proto": "https",
      forwarded: "for=10.0.0.1;proto=https",
    };
    const rules = { trustedProxies: ["10.0.0.0/8"] };
    expect(find(rules, { address: "203.0.113.9", headers })).toEqual({ address: "203.0.113.9", confidential: false });
  });

  test("IPv4 in IPv6's clothes is IPv4, and a socket without an address is somebody unknown", () => {
    expect(find({}, { address: "::ffff:203.0.113.9" }).address).toBe("203.0.113.9");
    const request = new IncomingMessage(new Socket());
    expect(createFindPeer({})(request)).toEqual({ address: "unknown", confidential: false });
  });

  test("the token of an Authorization header comes along", () => {
    expect(find({}, { headers: { authorization: "Bearer lh_x" } }).bearer).toBe("lh_x");
  });
});

describe("a trusted proxy", () => {
  const rules: ProxyRules = { trustedProxies: ["127.0.0.1", "10.0.0.0/8", "fd00::/8"] };
  const forwarded = (value: string) => ({ headers: { forwarded: value } });
  const xff = (addresses: string, protocol = "https") => ({
    headers: { "x-forwarded-for": addresses, "x-forwarded-proto": protocol },
  });

  test.each<[string, From, string, boolean]>([
    ["tells the client's address and encryption", xff("203.0.113.9"), "203.0.113.9", true],
    ["tells that it is not encrypted", xff("203.0.113.9", "http"), "203.0.113.9", false],
    ["tells nothing of encryption", { headers: { "x-forwarded-for": "203.0.113.9" } }, "203.0.113.9", false],
    ["is not overruled by what the client wrote", xff("192.0.2.1, 203.0.113.9"), "203.0.113.9", true],
    ["nor by trusted addresses among it", xff("10.0.0.9, 203.0.113.9"), "203.0.113.9", true],
    ["may stand behind another one", xff("203.0.113.9, 10.0.0.7"), "203.0.113.9", true],
    ["and one of them not encrypted", xff("203.0.113.9, 10.0.0.7", "https, http"), "203.0.113.9", false],
    ["may be all there is", xff("10.0.0.7"), "10.0.0.7", true],
    ["writes ports, too", xff("203.0.113.9:4711"), "203.0.113.9", true],
    ["writes IPv6", xff("2001:db8::1"), "2001:db8::1", true],
    ["writes IPv6 with a port", xff("[2001:db8::1]:4711"), "2001:db8::1", true],
    [
      "hides the client, and what the client wrote does not come in its place",
      xff("192.0.2.1, unknown"),
      "unknown",
      true,
    ],
    ["writes nonsense", xff("<script>"), "unknown", true],
    ["says nothing at all", {}, "unknown", false],
    ["by IPv6", { address: "fd00::5", ...xff("203.0.113.9") }, "203.0.113.9", true],
    ["by an address with a zone", { address: "fd00::5%eth0", ...xff("203.0.113.9") }, "203.0.113.9", true],
    ["on this machine tells of who is local", xff("127.0.0.1"), "127.0.0.1", true],
    ["on another one tells of who is local there", { address: "10.0.0.7", ...xff("127.0.0.1") }, "unknown", true],
    ["is not overruled by a neighbour of another proxy", xff("127.0.0.1, 10.0.0.9"), "unknown", true],
    [
      "is told by one header alone",
      { headers: { ...xff("203.0.113.9").headers, ...forwarded("for=192.0.2.1").headers } },
      "203.0.113.9",
      true,
    ],
  ])("%s", (_, from, address, confidential) => {
    expect(find(rules, from)).toEqual({ address, confidential });
  });

  test.each<[string, string, string, boolean]>([
    ["one step", "for=203.0.113.9;proto=https", "203.0.113.9", true],
    ["other spellings", 'FOR="203.0.113.9:80"; Proto=HTTPS;by=10.0.0.1', "203.0.113.9", true],
    ["two steps", "for=203.0.113.9;proto=https, for=10.0.0.7;proto=https", "203.0.113.9", true],
    ["an inner step in the clear", "for=203.0.113.9;proto=https, for=10.0.0.7;proto=http", "203.0.113.9", false],
    ["what a client wrote before", "for=192.0.2.1;proto=http, for=203.0.113.9;proto=https", "203.0.113.9", true],
    ["IPv6 in quotes", 'for="[2001:db8::1]:4711";proto=https', "2001:db8::1", true],
    ["separators in quotes", 'for=203.0.113.9;proto=https;host="a,b;for=10.0.0.9"', "203.0.113.9", true],
    ["a hidden client", "for=_hidden;proto=https", "unknown", true],
    ["no scheme", "for=203.0.113.9", "203.0.113.9", false],
    ["an open quote", 'for="203.0.113.9', "unknown", false],
    ["a quote of the client's open before it", 'for=127.0.0.1;proto=https, for=", for=203.0.113.9', "unknown", false],
    ["an escape that escapes nothing", 'for="203.0.113.9\\', "unknown", false],
  ])("writes Forwarded with %s", (_, value, address, confidential) => {
    expect(find({ ...rules, forwardedHeader: "forwarded" }, forwarded(value))).toEqual({ address, confidential });
  });

  // What looks again and again for the end of a word or a quote takes minutes for these.
  test.each([
    ["words", "a".repeat(200_000)],
    ["quotes", `"${'\\"'.repeat(100_000)}`],
    ["escapes before quotes", '\\"'.repeat(100_000)],
    ["parameters", "for=a;".repeat(30_000)],
  ])("passes on a header full of %s, and it is read as fast as any", (_, value) => {
    expect(find({ ...rules, forwardedHeader: "forwarded" }, forwarded(value)).address).toBe("unknown");
  });

  test("of another header than it was said to set is not heard", () => {
    expect(find({ ...rules, forwardedHeader: "forwarded" }, xff("203.0.113.9"))).toEqual({
      address: "unknown",
      confidential: false,
    });
  });

  test.each(["proxy.example", "10.0.0.0/33", "::1/129", "10.0.0.0/", "10.0.0.0/8/8", ""])(
    "must be an address or a network, which %j is not",
    (entry) => {
      expect(() => createFindPeer({ trustedProxies: [entry] })).toThrow(JSON.stringify(entry));
    },
  );
});
