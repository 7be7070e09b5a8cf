import { once } from "node:events";
import { describe, expect, test } from "vitest";
import {
  clientFrame,
  connectClient,
  connectRaw,
  OPCODE,
  readToEnd,
  startTestServer,
  upgradeRequest,
  watchConnection,
} from "./websocket-test-server.ts";

/** Sends a request and returns the whole answer, and what the server made of it. */
async function exchange(request: string, options: Parameters<typeof startTestServer>[0] = {}) {
  await using server = await startTestServer(options);
  const socket = await connectRaw(server.port);
  socket.write(request);
  const answer = await readToEnd(socket);
  const { acceptance } = await server.nextUpgrade();
  return { answer, acceptance };
}

describe("the upgrade", () => {
  test("gives a connection that carries text both ways", async () => {
    await using server = await startTestServer();
    const { client, messages } = await connectClient(server.url);
    const connection = await server.nextConnection();
    const calls = watchConnection(connection);
    client.send("to the server");
    connection.send(["to the client"]);
    expect(await calls.next()).toBe("to the server");
    expect(await messages.next()).toBe("to the client");
    expect(connection.peer).toEqual({ address: "127.0.0.1", confidential: true });
  });

  test.each([
    ["Bearer lh_secret", "lh_secret"],
    ["bearer   lh_secret ", "lh_secret"],
    ["Basic dXNlcjpwdw==", undefined],
    ["Bearer", undefined],
    ["Bearer two tokens", undefined],
  ])("keeps the token of Authorization: %s", async (authorization, token) => {
    await using server = await startTestServer();
    await connectClient(server.url, { headers: { authorization } });
    expect((await server.nextConnection()).peer.bearer).toBe(token);
  });

  test("ignores the query and extensions, and works when the request comes byte by byte", async () => {
    await using server = await startTestServer();
    const socket = await connectRaw(server.port);
    const request = upgradeRequest({ "Sec-WebSocket-Extensions": "permessage-deflate" }, "GET /arcp?x=1 HTTP/1.1");
    for (const byte of request) socket.write(byte);
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1\.1 101 /);
    expect(String(answer)).toContain("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    expect(String(answer)).not.toContain("Extensions");
    await server.nextConnection();
    socket.destroy();
  });

  test("frames that come in one packet with the request are delivered at open", async () => {
    await using server = await startTestServer();
    const socket = await connectRaw(server.port);
    socket.write(Buffer.concat([Buffer.from(upgradeRequest()), clientFrame(OPCODE.text, "hello")]));
    const calls = watchConnection(await server.nextConnection());
    expect(await calls.next()).toBe("hello");
    socket.destroy();
    expect(await calls.next()).toBe("closed 1006");
  });

  test.each([
    [["arcp.v1"], "arcp.v1"],
    [["other", "arcp.v1.1", "arcp.v1"], "arcp.v1"],
    [["token-of-somebody", "arcp"], "arcp"],
    [[], ""],
  ])("of the subprotocols %j selects %j", async (protocols, selected) => {
    await using server = await startTestServer();
    const { client } = await connectClient(server.url, { protocols });
    expect(client.protocol).toBe(selected);
  });

  test("selects no subprotocol it does not know", async () => {
    await using server = await startTestServer();
    const socket = await connectRaw(server.port);
    socket.write(upgradeRequest({ "Sec-WebSocket-Protocol": "token-of-somebody" }));
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1\.1 101 /);
    expect(String(answer)).not.toContain("Protocol:");
    socket.destroy();
  });
});

describe("a refused upgrade", () => {
  test.each([
    ["another path", upgradeRequest({}, "GET /other HTTP/1.1"), 404, "Connect to /arcp."],
    ["a path that only begins like ours", upgradeRequest({}, "GET /arcp/x HTTP/1.1"), 404, "Connect to /arcp."],
    ["a foreign host", upgradeRequest({ Host: "evil.example" }), 403, "evil.example"],
    ["a foreign origin", upgradeRequest({ Origin: "https://evil.example" }), 403, "https://evil.example"],
    ["another method", upgradeRequest({}, "POST /arcp HTTP/1.1"), 400, "Invalid HTTP method"],
    ["another protocol", upgradeRequest({ Upgrade: "h2c" }), 400, "Upgrade"],
    ["a short key", upgradeRequest({ "Sec-WebSocket-Key": "short" }), 400, "Sec-WebSocket-Key"],
    ["an old version", upgradeRequest({ "Sec-WebSocket-Version": "7" }), 400, "Sec-WebSocket-Version"],
    ["a malformed subprotocol", upgradeRequest({ "Sec-WebSocket-Protocol": "a,,b" }), 400, "Sec-WebSocket-Protocol"],
  ])("%s: answered with a sentence, and closed", async (_, request, status, sentence) => {
    const { answer, acceptance } = await exchange(request);
    expect(answer).toContain(`HTTP/1.1 ${status} `);
    const [head = "", body = ""] = answer.split("\r\n\r\n");
    expect(head).toContain(`Content-Length: ${body.length}`);
    expect(body).toContain(sentence);
    expect(acceptance).toEqual({ accepted: false, status, reason: body.trimEnd() });
  });

  test("allowedHosts and allowedOrigins let through what they name", async () => {
    await using server = await startTestServer({
      allowedHosts: ["jobs.example.com"],
      allowedOrigins: ["https://console.example.com"],
    });
    const headers = { host: "jobs.example.com", origin: "https://console.example.com" };
    const { client } = await connectClient(server.url, { headers });
    expect(client.readyState).toBe(client.OPEN);
  });

  test("a peer that resets instead of reading its refusal does no harm", async () => {
    await using server = await startTestServer();
    const socket = await connectRaw(server.port);
    socket.write(upgradeRequest({}, "GET /other HTTP/1.1"));
    socket.resetAndDestroy();
    const { client } = await connectClient(server.url);
    expect(client.readyState).toBe(client.OPEN);
  });
});
