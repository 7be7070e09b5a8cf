/**
 * The admin API, under its own token: `POST /keys`, `GET /keys`, and `GET`, `PATCH` and `DELETE` of `/keys/{id or alias}`. Whoever
 * has an answer can rely on it after a crash.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { formatAmount } from "../../kernel/authority/decimal.ts";
import type { Log } from "../../platform/log.ts";
import type { Clock } from "../../platform/world.ts";
import { isAlias, readKeyChange, readKeyRequest } from "./key-request.ts";
import { type GatewayKey, type Keys, noSuchKey } from "./keys.ts";
import { answerJson, GatewayError, invalidRequest } from "./openai-error.ts";
import { type BodyReader, parseJson } from "./request-body.ts";

const MAX_BODY_BYTES = 65_536;
/** Keys in one answer. */
const LARGEST_PAGE = 1_000;

export interface AdminEnvironment {
  readonly keys: Keys;
  readonly currency: string;
  readonly bodies: BodyReader;
  readonly clock: Clock;
  readonly log: Log;
}

export type Admin = (url: URL, request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** @throws GatewayError with the refusal. */
export function createAdmin({ keys, currency, bodies, clock, log }: AdminEnvironment): Admin {
  function view({ row, spent, held }: GatewayKey): object {
    const remaining = row.cap - spent - held;
    return {
      id: row.id,
      alias: row.alias,
      models: row.models,
      currency,
      cap: formatAmount(row.cap),
      spent: formatAmount(spent),
      held: formatAmount(held),
      remaining: formatAmount(remaining),
      created_at: instant(row.createdAt),
      expires_at: instant(row.expiresAt),
      revoked_at: instant(row.revokedAt),
      metadata: row.metadata,
    };
  }

  async function readBody(request: IncomingMessage): Promise<unknown> {
    return parseJson(await bodies.read(request, MAX_BODY_BYTES));
  }

  async function create(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { key, value, created } = await keys.create(readKeyRequest(await readBody(request), clock.now()));
    log.info({ id: key.row.id, alias: key.row.alias }, created ? "made a key" : "gave a key a new value");
    answerJson(response, created ? 201 : 200, { ...view(key), key: value });
  }

  function list(url: URL, response: ServerResponse): void {
    const limit = Number(url.searchParams.get("limit") ?? 100);
    if (!Number.isInteger(limit) || limit < 1 || limit > LARGEST_PAGE) {
      throw invalidRequest("limit", `limit must be a whole number from 1 to ${LARGEST_PAGE}`);
    }
    const found = keys.list(url.searchParams.get("after") ?? "", limit);
    const next = found.length === limit ? found.at(-1)?.row.id : undefined;
    answerJson(response, 200, { keys: found.map(view), ...(next !== undefined && { next }) });
  }

  return async (url, request, response) => {
    const { method = "" } = request;
    if (url.pathname === "/keys") {
      if (method === "POST") return create(request, response);
      if (method === "GET") return list(url, response);
      throw notAllowed("GET, POST");
    }
    const name = nameIn(url.pathname);
    switch (method) {
      case "GET": {
        const key = keys.find(name);
        if (key === undefined) throw noSuchKey(name);
        return answerJson(response, 200, view(key));
      }
      case "PATCH": {
        const key = await keys.change(name, readKeyChange(await readBody(request), clock.now()));
        log.info({ id: key.row.id, alias: key.row.alias }, "changed a key");
        return answerJson(response, 200, view(key));
      }
      case "DELETE": {
        const key = await keys.revoke(name);
        log.info({ id: key.row.id, alias: key.row.alias }, "revoked a key");
        return answerJson(response, 200, view(key));
      }
      default:
        throw notAllowed("GET, PATCH, DELETE");
    }
  };
}

export function notAllowed(allow: string): GatewayError {
  return new GatewayError(405, "method_not_allowed", `only ${allow} can be done here`, { headers: { allow } });
}

/** @throws GatewayError 404 for what can be no id and no alias. */
function nameIn(path: string): string {
  let name = "";
  try {
    name = decodeURIComponent(path.slice("/keys/".length));
  } catch {
    // No name.
  }
  if (isAlias(name) || /^key_\w{1,64}$/.test(name)) return name;
  throw noSuchKey("of that name");
}

function instant(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
