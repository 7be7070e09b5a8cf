/** An environment for listeners and attachments with nothing behind it: connections are answered in kind. For tests only. */
import { once } from "node:events";
import type { IncomingMessage, RequestOptions } from "node:http";
import { request } from "node:http";
import { type Log, silentLog } from "../platform/log.ts";
import { createSystemWorld } from "../platform/system-world.ts";
import type { Connection, Peer } from "../transports/connection.ts";
import { createConnectionLimit } from "./connection-limit.ts";
import type { EntranceEnvironment } from "./entrance.ts";
import { healthFace } from "./health-face.ts";
import { answerJson, type HttpFace } from "./http-faces.ts";

/** `/seen` tells whom the runtime takes the caller for, and `/broken` fails. */
const FACES: readonly HttpFace[] = [
  healthFace,
  { prefix: "/seen", handle: (request, response, peer) => answerJson(request, response, 200, peer) },
  {
    prefix: "/broken",
    handle() {
      throw new Error("a bug");
    },
  },
];

export interface TestEntrance extends EntranceEnvironment {
  readonly connections: readonly Connection[];
  readonly logged: readonly string[];
}

export function createTestEntrance(
  settings: Partial<EntranceEnvironment> & { readonly max?: number } = {},
): TestEntrance {
  const { max = 100, ...rest } = settings;
  const connections: Connection[] = [];
  const logged: string[] = [];
  const keep = (_: unknown, message: string): void => void logged.push(message);
  const log: Log = { ...silentLog, warn: keep, error: keep };
  return {
    ...createSystemWorld(),
    log,
    faces: FACES,
    limit: createConnectionLimit(max),
    isClosing: () => false,
    accept(connection) {
      connections.push(connection);
      connection.open({ frame: (text) => connection.send([`echo ${text}`]), drained() {}, closed() {} });
    },
    connections,
    logged,
    ...rest,
  };
}

export interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** One HTTP request whose headers may be anything, on a connection of its own. */
export async function ask(url: string, options: RequestOptions = {}): Promise<Answer> {
  const sent = request(url, { agent: false, ...options }).end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  let body = "";
  for await (const chunk of response.setEncoding("utf8")) body += chunk;
  return { status: response.statusCode, headers: response.headers, body };
}

/** What `/seen` answers. */
export async function askSeen(base: string, headers: Readonly<Record<string, string>>): Promise<Peer> {
  return JSON.parse((await ask(`${base}/seen`, { headers })).body);
}
