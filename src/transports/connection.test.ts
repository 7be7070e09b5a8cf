import { once } from "node:events";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { silentLog } from "../platform/log.ts";
import { createSystemWorld } from "../platform/system-world.ts";
import { describeBoundedConnection, describeConnection, type OpenedConnection } from "./connection-contract.ts";
import { createMemoryConnectionPair } from "./memory.ts";
import { createStdioConnection } from "./stdio.ts";
import { connectClient, createQueue, startTestServer } from "./websocket-test-server.ts";

const { timers } = createSystemWorld();

async function connectMemory(): Promise<OpenedConnection> {
  const { server, client } = createMemoryConnectionPair({ timers });
  const frames = createQueue<string>();
  const gone = Promise.withResolvers<void>();
  client.open({ frame: (text) => frames.put(text), closed: () => gone.resolve() });
  return {
    connection: server,
    peer: {
      send: (text) => client.send(text),
      next: frames.next,
      stall: () => client.stall(),
      resume: () => client.resume(),
      leave: () => client.drop(),
      gone: gone.promise,
    },
    async [Symbol.asyncDispose]() {},
  };
}

async function connectWebSocket(): Promise<OpenedConnection> {
  const server = await startTestServer();
  const { client, messages, closed } = await connectClient(server.url);
  return {
    connection: await server.nextConnection(),
    peer: {
      send: (text) => client.send(text),
      next: messages.next,
      stall: () => client.pause(),
      resume: () => client.resume(),
      leave: () => client.terminate(),
      gone: closed,
    },
    [Symbol.asyncDispose]: server[Symbol.asyncDispose],
  };
}

async function connectStdio(): Promise<OpenedConnection> {
  const input = new PassThrough();
  const output = new PassThrough();
  const frames = createQueue<string>();
  const lines = createInterface({ input: output, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on("line", (line) => frames.put(line));
  return {
    connection: createStdioConnection({ timers, log: silentLog, input, output }),
    peer: {
      send: (text) => void input.write(`${text}\n`),
      next: frames.next,
      stall: () => lines.pause(),
      resume: () => lines.resume(),
      leave: () => input.end(),
      gone: once(output, "close"),
    },
    async [Symbol.asyncDispose]() {
      lines.close();
      input.destroy();
      output.destroy();
    },
  };
}

describeConnection("memory", connectMemory);
describeConnection("WebSocket", connectWebSocket);
describeConnection("stdio", connectStdio);
describeBoundedConnection("WebSocket", connectWebSocket);
describeBoundedConnection("stdio", connectStdio);
