/**
 * A service that answers every chat completion at once, for the gateway and the bare reverse proxy to stand in front of. With
 * `--proxy <url>` it is that proxy: it pipes requests and answers through, over kept connections, and looks at nothing.
 */
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";

const { values: flags } = parseArgs({ options: { proxy: { type: "string" } } });

const ANSWER = JSON.stringify({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "small",
  choices: [
    { index: 0, message: { role: "assistant", content: "as short as an answer ".repeat(20) }, finish_reason: "stop" },
  ],
  usage: { prompt_tokens: 100, completion_tokens: 100, total_tokens: 200 },
});

function answer(incoming: IncomingMessage, response: ServerResponse): void {
  incoming.resume().once("end", () => {
    response.writeHead(200, { "content-type": "application/json", "content-length": ANSWER.length });
    response.end(ANSWER);
  });
}

function createProxy(target: string): typeof answer {
  const agent = new Agent({ keepAlive: true });
  const { hostname, port } = new URL(target);
  return (incoming, response) => {
    const { method, url, headers } = incoming;
    const outgoing = request({ agent, hostname, port, method, path: url, headers }, (answered) => {
      response.writeHead(answered.statusCode ?? 502, answered.headers);
      answered.pipe(response);
    });
    outgoing.once("error", () => response.destroy());
    incoming.pipe(outgoing);
  };
}

const server = createServer(flags.proxy === undefined ? answer : createProxy(flags.proxy));
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}/v1` }));
});
