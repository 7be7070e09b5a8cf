/**
 * The suite and a real runtime in one process, over connections in memory and under the fake clock: a whole run takes a
 * moment and is the same each time. Between the two may stand someone who tampers with the frames.
 */

import type { WebSocketLike } from "../../src/client/web-socket.ts";
import { DEFAULT_AGENTS } from "../../src/conformance/agent-roles.ts";
import type { ConformanceCase } from "../../src/conformance/case.ts";
import { createConformanceAgents } from "../../src/conformance/conformance-agents.ts";
import { type Report, runSuite } from "../../src/conformance/suite.ts";
import { createRuntime } from "../../src/server/runtime.ts";
import { createMemoryStore } from "../../src/stores/memory/memory-store.ts";
import { createFakeWorld, type FakeWorld } from "../../src/testing/fake-world.ts";
import { createMemoryConnectionPair } from "../../src/transports/memory.ts";
import { createMemorySocket } from "../../src/transports/memory-socket.ts";

export const TOKEN = "token-of-ada-0123456789";
export const SECOND_TOKEN = "token-of-bob-0123456789";
const PRINCIPALS = new Map([
  [TOKEN, { id: "ada", tenant: "t", roles: ["user"] as const }],
  [SECOND_TOKEN, { id: "bob", tenant: "t", roles: ["user"] as const }],
]);
const HEARTBEAT_SEC = 1;
const WINDOW_SEC = 5;
const PATIENCE_MS = 8_000;
const STEP_MS = 10;

export interface Envelope {
  readonly type: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** Someone on the line of one connection. Each frame becomes any number of frames. */
export interface Tampering {
  toClient?(frame: Envelope): readonly Envelope[];
  toRuntime?(frame: Envelope): readonly Envelope[];
}

/** Called for each connection. What all of them share is in the closure. */
export type Tamper = () => Tampering;

export async function runStage(
  options: { readonly tamper?: Tamper; readonly only?: (candidate: ConformanceCase) => boolean } = {},
): Promise<Report> {
  const { tamper, only } = options;
  const world = createFakeWorld();
  const runtime = await createRuntime({
    agents: createConformanceAgents(world.timers),
    store: createMemoryStore(),
    authenticator: { authenticate: async ({ token = "" }) => PRINCIPALS.get(token) },
    heartbeatIntervalSec: HEARTBEAT_SEC,
    resumeWindowSec: WINDOW_SEC,
    world,
  });
  const openWebSocket = (): WebSocketLike => {
    const { server, client } = createMemoryConnectionPair({ timers: world.timers });
    runtime.accept(server);
    const socket = createMemorySocket(client, world.timers);
    return tamper === undefined ? socket : tampered(socket, tamper());
  };
  const target = {
    url: "memory:",
    token: TOKEN,
    secondToken: SECOND_TOKEN,
    agents: DEFAULT_AGENTS,
    patienceMs: PATIENCE_MS,
    world,
    openWebSocket,
  };
  try {
    return await driven(world, runSuite({ target, ...(only === undefined ? {} : { only }) }));
  } finally {
    await driven(world, runtime.close());
  }
}

/** Moves time on until the promise has settled. */
async function driven<Value>(world: FakeWorld, promise: Promise<Value>): Promise<Value> {
  let over = false;
  const end = (): void => {
    over = true;
  };
  promise.then(end, end);
  for (await world.settle(); !over; await world.advance(STEP_MS)) {
    // What is imported lazily comes by the real event loop.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return await promise;
}

function tampered(socket: WebSocketLike, { toClient, toRuntime }: Tampering): WebSocketLike {
  const through = (text: string, change: Tampering["toClient"]): readonly string[] => {
    const frame = change === undefined ? undefined : parse(text);
    return frame === undefined || change === undefined
      ? [text]
      : change(frame).map((changed) => JSON.stringify(changed));
  };
  return {
    addEventListener(type, listener) {
      if (type !== "message") return socket.addEventListener(type, listener);
      socket.addEventListener("message", ({ data }) => {
        for (const text of through(String(data), toClient)) listener({ data: text });
      });
    },
    send(text) {
      for (const changed of through(text, toRuntime)) socket.send(changed);
    },
    close: (code, reason) => socket.close(code, reason),
  };
}

function parse(text: string): Envelope | undefined {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === "object" && frame !== null && "type" in frame && "payload" in frame
      ? (frame as Envelope)
      : undefined;
  } catch {
    return undefined;
  }
}
