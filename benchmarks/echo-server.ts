/**
 * The bare `ws` server that Leasehold is compared with: it echoes text and pushes frames, and keeps nothing. Runs as a
 * process of its own; its first line on stdout is an object with its URL. Texts that begin with `!` are commands.
 */
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { type WebSocket, WebSocketServer } from "ws";
import type { EchoCommand } from "./bare-client.ts";
import { corkedSender } from "./frame-socket.ts";
import { collectedMemory } from "./memory-use.ts";
import { atPace } from "./pace.ts";
import { framed, monotonicMicroseconds, pushedFrame } from "./pushed-frames.ts";

/** Frames sent between two looks at the socket. */
const FRAMES_PER_TURN = 64;
/** Unsent bytes from which pushing waits, as Leasehold does. */
const UNSENT_LIMIT = 1_048_576;

const { values: flags } = parseArgs({ options: { port: { type: "string", default: "0" } } });
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(flags.port), perMessageDeflate: false });

server.on("listening", () => {
  const { port } = server.address() as AddressInfo;
  console.log(JSON.stringify({ url: `ws://127.0.0.1:${port}/` }));
});

server.on("connection", (socket, request) => {
  const echo = corkedSender(socket, request.socket);
  socket.on("message", (data) => {
    const text = (data as Buffer).toString();
    if (text.startsWith("!")) void obey(JSON.parse(text.slice(1)) as EchoCommand);
    else echo(text);
  });

  async function obey(command: EchoCommand): Promise<void> {
    switch (command.do) {
      case "push":
        return await push(command.from, command.count, command.size, sender(command.write));
      case "pace": {
        let eventSeq = command.from;
        return await atPace(command.pace, () => echo(pushedFrame(eventSeq++, command.size, monotonicMicroseconds())));
      }
      case "memory":
        return echo(JSON.stringify(collectedMemory()));
    }
  }

  function sender(write: "each" | "joined"): (frames: readonly string[]) => void {
    if (write === "joined") return (frames) => void request.socket.write(frames.map(framed).join(""), "latin1");
    return (frames) => {
      for (const frame of frames) socket.send(frame);
    };
  }

  async function push(
    from: number,
    count: number,
    size: number,
    send: (frames: readonly string[]) => void,
  ): Promise<void> {
    for (let sent = 0; sent < count; ) {
      const frames: string[] = [];
      for (; frames.length < FRAMES_PER_TURN && sent < count; sent++) frames.push(pushedFrame(from + sent, size, 0));
      send(frames);
      await roomIn(socket);
    }
  }
});

/** Lets the event loop turn, and waits while too much is unsent. */
async function roomIn(socket: WebSocket): Promise<void> {
  do await new Promise((resolve) => setImmediate(resolve));
  while (socket.bufferedAmount > UNSENT_LIMIT && socket.readyState === socket.OPEN);
}
