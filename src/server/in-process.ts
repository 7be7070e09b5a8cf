/** Jobs submitted by the very process the runtime runs in: the client SDK over a connection in memory. */
import { connect } from "../client/connect.ts";
import type { Session } from "../client/session.ts";
import type { TokenSource } from "../identity/authenticator.ts";
import { createDevToken } from "../identity/dev-token.ts";
import type { World } from "../platform/world.ts";
import type { Connection } from "../transports/connection.ts";
import { createMemoryConnectionPair } from "../transports/memory.ts";
import { createMemorySocket } from "../transports/memory-socket.ts";

/** Where in-process sessions say they are connected to. */
const MEMORY_URL = "memory:";

export interface InProcess {
  /** Knows the token that in-process sessions present, and no other. */
  readonly tokens: TokenSource;
  /** The process's own session, opened when it is first asked for. */
  session(): Promise<Session>;
  close(): Promise<void>;
}

/** @param accept takes the server's end of a connection. */
export function createInProcess(world: World, accept: (connection: Connection) => void): InProcess {
  const own = createDevToken(world.random);
  let opening: Promise<Session> | undefined;

  const open = (): Promise<Session> =>
    connect(MEMORY_URL, {
      token: own.token,
      clientName: "in-process",
      world,
      webSocket() {
        const { server, client } = createMemoryConnectionPair({ timers: world.timers });
        const socket = createMemorySocket(client, world.timers);
        accept(server);
        return socket;
      },
    });

  return {
    tokens: own,
    session() {
      opening ??= open().catch((error: unknown) => {
        // The next submission tries again: what kept this one out, such as a full disk, may be over by then.
        opening = undefined;
        throw error;
      });
      return opening;
    },
    async close() {
      const session = await opening?.catch(() => undefined);
      await session?.close();
    },
  };
}
