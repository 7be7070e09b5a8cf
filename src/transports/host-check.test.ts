import { describe, expect, test } from "vitest";
import { isLoopbackAddress, refuseHost } from "./host-check.ts";

const LOCAL = "127.0.0.1";

describe("refuseHost", () => {
  test.each([
    "localhost",
    "localhost:7777",
    "LOCALHOST:7777",
    "app.localhost",
    "127.0.0.1:7777",
    "127.8.9.1",
    "[::1]:7777",
  ])("the loopback host %s is ours", (host) => expect(refuseHost({ host }, LOCAL, {})).toBeUndefined());

  test("the address the connection came in on is ours, as IPv4, IPv6, or one in the other", () => {
    expect(refuseHost({ host: "192.168.1.5:7777" }, "192.168.1.5", {})).toBeUndefined();
    expect(refuseHost({ host: "192.168.1.5:7777" }, "::ffff:192.168.1.5", {})).toBeUndefined();
    expect(refuseHost({ host: "[fe80::1]:7777" }, "fe80::1", {})).toBeUndefined();
    expect(refuseHost({ host: "192.168.1.6:7777" }, "192.168.1.5", {})).toContain("192.168.1.6");
  });

  test("a name that only resolves to us is refused, and so are names that look like loopback", () => {
    for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "notlocalhost"]) {
      expect(refuseHost({ host }, LOCAL, {})).toContain(host);
    }
  });

  test.each([
    undefined,
    "",
    "a b",
    "localhost/path",
    "user@localhost",
    "localhost:port",
    "[::1",
    "evil.example#localhost",
  ])("%j is not a host", (host) => expect(refuseHost({ host }, LOCAL, {})).toContain("Host header"));

  test("allowedHosts adds names and addresses, whatever their case and port", () => {
    const rules = { allowedHosts: ["Jobs.Example.com", "2001:db8::7"] };
    expect(refuseHost({ host: "jobs.example.com:443" }, LOCAL, rules)).toBeUndefined();
    expect(refuseHost({ host: "[2001:db8::7]" }, LOCAL, rules)).toBeUndefined();
    expect(refuseHost({ host: "other.example.com" }, LOCAL, rules)).toContain("allowedHosts");
    expect(refuseHost({ host: "localhost" }, LOCAL, rules)).toBeUndefined();
  });

  test("pages of the same host may connect, from any port; loopback names are one host", () => {
    const allowed: [string, string][] = [
      ["http://localhost:7777", "localhost:7777"],
      ["http://localhost:5173", "localhost:7777"],
      ["http://localhost:5173", "127.0.0.1:7777"],
      ["http://[::1]:7777", "[::1]:7777"],
    ];
    for (const [origin, host] of allowed) expect(refuseHost({ host, origin }, LOCAL, {})).toBeUndefined();
    const rules = { allowedHosts: ["jobs.example.com"] };
    expect(refuseHost({ host: "jobs.example.com", origin: "https://jobs.example.com" }, LOCAL, rules)).toBeUndefined();
  });

  test.each(["https://evil.example", "null", "file://", "http://6.6.6.6", "chrome-extension://abcdef", "garbage", ""])(
    "a page of origin %j may not",
    (origin) => expect(refuseHost({ host: "localhost:7777", origin }, LOCAL, {})).toContain("allowedOrigins"),
  );

  test("refusals stay short, whatever was named", () => {
    const long = "a".repeat(30_000);
    for (const headers of [{ host: long }, { host: "localhost", origin: `http://${long}` }]) {
      expect(refuseHost(headers, LOCAL, {})?.length).toBeLessThan(500);
    }
  });

  test("allowedOrigins adds whole origins", () => {
    const rules = { allowedOrigins: ["https://console.example.com"] };
    expect(refuseHost({ host: "localhost", origin: "https://Console.example.com" }, LOCAL, rules)).toBeUndefined();
    expect(refuseHost({ host: "localhost", origin: "http://console.example.com" }, LOCAL, rules)).toBeDefined();
    expect(refuseHost({ host: "localhost", origin: "https://console.example.com:8443" }, LOCAL, rules)).toBeDefined();
  });
});

test("isLoopbackAddress", () => {
  expect(["127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1"].every(isLoopbackAddress)).toBe(true);
  expect(["10.0.0.1", "::2", "::ffff:10.0.0.1", "127.evil.example", "", "unknown"].some(isLoopbackAddress)).toBe(false);
});
