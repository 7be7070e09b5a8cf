/** A session with a runtime that is a child of this process, over its standard input and output. */
import { type ConnectOptions, connect } from "../client/connect.ts";
import type { Session } from "../client/session.ts";
import { createSystemWorld } from "../platform/system-world.ts";
import type { ChildSocketOptions } from "../transports/child-socket.ts";

/** Where such sessions say they are connected to. */
const CHILD_URL = "stdio:";

export interface ConnectChildOptions extends Omit<ConnectOptions, "webSocket">, Omit<ChildSocketOptions, "timers"> {}

/**
 * Starts a runtime as a child, such as `leasehold serve --stdio agents.ts`, and opens a session with it (§4). The child
 * trusts its parent: no token is needed. A child that ends is started again, and the session resumed if its data
 * directory (`--data`) holds it. Closing the session ends the child's input, and with that the child.
 * Rejects as `connect` does.
 */
export async function connectChild<Agents = unknown>(
  command: string,
  args: readonly string[] = [],
  options: ConnectChildOptions = {},
): Promise<Session<Agents>> {
  const { cwd, env, stderr, exitTimeoutMs, onSpawn, ...settings } = options;
  // Loaded where it is used: most who import `leasehold` start no children.
  const { createChildSockets } = await import("../transports/child-socket.ts");
  const world = options.world ?? createSystemWorld();
  const childOptions: ChildSocketOptions = {
    timers: world.timers,
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
    ...(stderr === undefined ? {} : { stderr }),
    ...(exitTimeoutMs === undefined ? {} : { exitTimeoutMs }),
    ...(onSpawn === undefined ? {} : { onSpawn }),
  };
  return await connect<Agents>(CHILD_URL, {
    ...settings,
    world,
    webSocket: createChildSockets(command, args, childOptions),
  });
}
