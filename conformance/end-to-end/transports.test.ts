/** How `serve` is reached: with TLS, behind a proxy, by no more than it is to hold. */
import { once } from "node:events";
import { connect } from "leasehold/client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { FIRST, SECOND } from "../../src/server/test-certificates.ts";
import { AGENTS, createPlace, jsonLines, type Place, within } from "./test-place.ts";

let place: Place;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place[Symbol.asyncDispose]());

async function createToken(): Promise<string> {
  return (await place.run(["token", "create", "me"])).stdout.trim();
}

/** The certificate in its file, with a key that is its own, or not. */
async function tlsFiles(key: string = FIRST.key): Promise<readonly string[]> {
  return ["--tls-cert", await place.write("cert.pem", FIRST.cert), "--tls-key", await place.write("key.pem", key)];
}

describe("TLS", () => {
  it("carries sessions from the command and to a runtime that says wss:", async () => {
    const token = await createToken();
    const server = await place.serve("serve", await tlsFiles());
    expect(server.url).toMatch(/^wss:\/\/127\.0\.0\.1:\d+\/arcp$/);
    const env = { NODE_EXTRA_CA_CERTS: place.path("cert.pem"), LEASEHOLD_URL: server.url, LEASEHOLD_TOKEN: token };
    expect(await place.run(["submit", "echo", "7", "--result-only"], { env })).toMatchObject({
      code: 0,
      stdout: "7\n",
    });
    expect(server.stderr()).not.toContain("in the clear");
  });

  it.each([
    ["of another certificate", SECOND.key, "tls.key is not the key of tls.cert"],
    ["that is none", "not a key", "tls.key holds no PEM block"],
  ])("does not start with a key %s", async (_, key, message) => {
    const { code, stdout, stderr } = await place.run(["serve", AGENTS, "--port", "0", ...(await tlsFiles(key))]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(`leasehold: ${message}`);
    expect(stderr).toContain("check --tls-cert and --tls-key");
  });
});

describe("beyond loopback", () => {
  it("a port needs tokens, and one without TLS is warned of", async () => {
    const refused = await place.run(["serve", AGENTS, "--port", "0", "--host", "0.0.0.0"]);
    expect(refused.stderr).toContain("refusing to listen on 0.0.0.0 without any token");
    const token = await createToken();
    const server = await place.serve("serve", ["--host", "0.0.0.0"]);
    await using session = await connect(server.url.replace("0.0.0.0", "127.0.0.1"), { token });
    expect(await (await session.submit("echo", 1)).result()).toBe(1);
    expect(jsonLines(server.stderr())).toContainEqual(expect.objectContaining({ level: "warn", host: "0.0.0.0" }));
  });
});

describe("the options of `serve`", () => {
  it.each([
    [["--trusted-proxy", "proxy.example"], 'trustedProxies: "proxy.example" is no address or network'],
    [["--max-connections", "0"], "--max-connections must be a whole number from 1"],
    [["--tls-cert", "cert.pem"], "--tls-cert and --tls-key go together"],
    [["--stdio", "--host", "0.0.0.0"], "--stdio listens nowhere, so it does not go with --host"],
  ])("that make no sense are refused by name: %j", async (options, message) => {
    const { code, stdout, stderr } = await place.run(["serve", AGENTS, ...options]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(message);
  });

  it("limit connections, name hosts and trust a proxy", async () => {
    const token = await createToken();
    const options = ["--max-connections", "1", "--allowed-host", "jobs.example.com", "--trusted-proxy", "127.0.0.1"];
    const server = await place.serve("serve", options);
    const headers = { host: "jobs.example.com", "x-forwarded-for": "203.0.113.9", authorization: `Bearer ${token}` };
    const first = new WebSocket(server.url, { headers });
    await within(once(first, "open"), () => "the WebSocket to open");
    const second = new WebSocket(server.url);
    second.on("error", () => {});
    const [, response] = await within(once(second, "unexpected-response"), () => "a refusal");
    response.resume();
    expect(response.statusCode).toBe(503);
    first.terminate();
  });
});
