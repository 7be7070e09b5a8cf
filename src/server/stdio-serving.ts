/** A runtime as somebody's child: one session over its standard input and output. */
import type { Readable, Writable } from "node:stream";
import { createDevToken, type DevToken } from "../identity/dev-token.ts";
import type { Log } from "../platform/log.ts";
import type { World } from "../platform/world.ts";
import { createStdioConnection, type StdioConnection } from "../transports/stdio.ts";

export interface StdioStreams {
  /** Default: the process's standard input. */
  readonly input?: Readable;
  /** Default: the process's standard output, which nothing else may write to then. */
  readonly output?: Writable;
}

export interface StdioServing {
  /** Resolves when the connection is gone: the input ended, the output cannot be written, or the runtime closed it. */
  readonly ended: StdioConnection["ended"];
}

export interface StdioPeer {
  /** Knows the token that stands for the parent, and no other. */
  readonly tokens: DevToken;
  connect(streams: StdioStreams): StdioConnection;
}

/**
 * Whoever holds the other ends of our pipes started us, and could do anything we can: a hello without a token is taken
 * for the principal `local`, by a token that the connection brings along. One with a token is taken for its principal.
 */
export function createStdioPeer(world: World, log: Log): StdioPeer {
  const tokens = createDevToken(world.random, "local");
  return {
    tokens,
    connect({ input = process.stdin, output = process.stdout }) {
      const peer = { address: "stdio", confidential: true, bearer: tokens.token };
      return createStdioConnection({ timers: world.timers, log, input, output, peer });
    },
  };
}
