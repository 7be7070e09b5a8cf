/**
 * A real runtime behind a proxy of our own, so that connections can be cut under a client that does not know: in a
 * browser there is no other way to. The runtime can also be started anew on its data, as after a deployment.
 */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRuntime, type Principal, type Runtime } from "leasehold";
import { agents } from "./agents.ts";
import type { Stage } from "./scenarios.ts";

const TOKEN = "a-token-of-this-test";
const PRINCIPAL: Principal = { id: "tester", tenant: "default", roles: ["user"] };
/** Short, so that a session can be seen to end. */
const RESUME_WINDOW_SEC = 1;

export async function createStage(): Promise<Stage & AsyncDisposable> {
  const data = await mkdtemp(join(tmpdir(), "leasehold-browser-"));
  const sockets = new Set<Socket>();
  let runtime: Runtime;
  let port = 0;
  let isOpen = true;

  async function start(): Promise<void> {
    const authenticator = {
      authenticate: async ({ token }: { readonly token?: string | undefined }) =>
        token === TOKEN ? PRINCIPAL : undefined,
    };
    runtime = await createRuntime({ agents, data, authenticator, resumeWindowSec: RESUME_WINDOW_SEC });
    port = (await runtime.listen({ port: 0 })).port;
  }

  const proxy = createServer((client) => {
    if (!isOpen) return void client.destroy();
    const server = connect(port, "127.0.0.1");
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one.on("error", () => {});
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });

  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };

  await start();
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  return {
    url: `ws://127.0.0.1:${(proxy.address() as AddressInfo).port}/arcp`,
    token: TOKEN,
    cut: async () => cut(),
    async setReachable(reachable) {
      isOpen = reachable;
      if (!reachable) cut();
    },
    async restart() {
      await runtime.close();
      cut();
      await start();
    },
    async [Symbol.asyncDispose]() {
      proxy.close();
      await runtime.close();
      cut();
      await rm(data, { recursive: true, force: true });
    },
  };
}
