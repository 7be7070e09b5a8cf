/** Requests to the runtime's own HTTP surface, `/api/…`, at the URL and with the token of a session. */
import * as v from "valibot";
import { ClientError } from "../client/errors.ts";
import { CliError } from "./cli-error.ts";
import type { Target } from "./connection.ts";
import { EXIT } from "./exit-codes.ts";

export type Query = Readonly<Record<string, string | number | undefined>>;

/** Where `/api/…` of a runtime is whose sessions are opened at `target`. */
export function apiUrl(target: string, path: string, query: Query = {}): URL {
  const url = new URL(target);
  url.protocol = url.protocol === "wss:" ? "https:" : "http:";
  url.pathname = `${url.pathname.replace(/\/arcp$/, "")}${path}`;
  url.search = "";
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

function unreachable({ origin }: URL, cause: unknown): CliError {
  return new CliError("UNREACHABLE", `the runtime at ${origin} cannot be reached`, {
    remedy: "check that it is running, and the URL",
    exitCode: EXIT.unreachable,
    cause,
  });
}

/** What is no answer of an API of ours. @param what it is instead. */
function notOurApi(what: string): CliError {
  return new CliError("NOT_OUR_API", what, { remedy: "check the URL: this needs a Leasehold runtime of this version" });
}

/**
 * The answer to a GET, when it is a good one. Its body is the caller's to read or to cancel.
 * @throws ClientError with the code of the runtime's answer; CliError UNREACHABLE, or NOT_OUR_API for any other answer.
 */
export function apiGet(target: Target, path: string, query: Query, signal: AbortSignal): Promise<Response> {
  return request(target, apiUrl(target.url, path, query), {}, signal);
}

/** What `apiGet` and `postJson` have in common. @param what the method, and the body as JSON text. */
async function request(
  target: Target,
  url: URL,
  { method = "GET", body: text }: { readonly method?: string; readonly body?: string },
  signal: AbortSignal,
): Promise<Response> {
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${target.token}`,
      ...(text === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(text === undefined ? {} : { body: text }),
    // A token goes to the runtime it is for, and to nobody that runtime names.
    redirect: "manual",
    signal,
  }).catch((error: unknown) => {
    if (signal.aborted) throw signal.reason;
    throw unreachable(url, error);
  });
  if (response.ok) return response;
  const body = await response.json().catch(() => undefined);
  const error = (body as { error?: { code?: unknown; message?: unknown; retryable?: unknown } } | undefined)?.error;
  if (typeof error?.code === "string" && typeof error.message === "string") {
    throw new ClientError({ code: error.code, message: error.message, retryable: error.retryable === true });
  }
  throw notOurApi(`${url.origin}${url.pathname} answered ${response.status}`);
}

/**
 * A GET's answer of the form of `schema`; without one, any JSON.
 * @throws as `apiGet`; NOT_OUR_API when the answer is not of that form.
 */
export async function getJson<Schema extends v.GenericSchema>(
  target: Target,
  path: string,
  query: Query,
  schema: Schema,
  signal: AbortSignal,
): Promise<v.InferOutput<Schema>> {
  return readJson(await apiGet(target, path, query, signal), path, schema, signal);
}

/** The answer to a POST of `body` as JSON, of the form of `schema`. @throws as `getJson`. */
export async function postJson<Schema extends v.GenericSchema>(
  target: Target,
  path: string,
  body: object,
  schema: Schema,
  signal: AbortSignal,
): Promise<v.InferOutput<Schema>> {
  const what = { method: "POST", body: JSON.stringify(body) };
  return readJson(await request(target, apiUrl(target.url, path), what, signal), path, schema, signal);
}

async function readJson<Schema extends v.GenericSchema>(
  response: Response,
  path: string,
  schema: Schema,
  signal: AbortSignal,
): Promise<v.InferOutput<Schema>> {
  const body: unknown = await response.json().catch((error: unknown) => {
    if (signal.aborted) throw signal.reason;
    throw notOurApi(`${path} was not answered with JSON (${error instanceof Error ? error.message : String(error)})`);
  });
  return checked(schema, body, path);
}

/** The lines of an answer of NDJSON. @throws as `getJson`; UNREACHABLE when the runtime is lost in the middle of it. */
export async function* getLines<Schema extends v.GenericSchema>(
  target: Target,
  path: string,
  query: Query,
  schema: Schema,
  signal: AbortSignal,
): AsyncGenerator<v.InferOutput<Schema>, void, void> {
  const response = await apiGet(target, path, query, signal);
  let rest = "";
  try {
    for await (const text of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line !== "") yield checked(schema, parsed(line, path), path);
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw error instanceof CliError ? error : unreachable(apiUrl(target.url, path), error);
  }
}

function parsed(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notOurApi(`${path} was not answered with lines of JSON`);
  }
}

function checked<Schema extends v.GenericSchema>(schema: Schema, value: unknown, path: string): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  throw notOurApi(`the answer of ${path} is not one of this version's`);
}

/**
 * The items of a listing, in as many pages as it takes: one may be empty and still go on.
 * @param largest most that the runtime gives in one page.
 */
export async function* listItems<Item extends v.GenericSchema>(
  target: Target,
  path: string,
  query: Query,
  { name, item, limit, largest }: { name: string; item: Item; limit: number; largest: number },
  signal: AbortSignal,
): AsyncGenerator<v.InferOutput<Item>, void, void> {
  const page = v.object({ [name]: v.array(item), next_cursor: v.optional(v.string()) });
  let left = limit;
  let cursor: string | undefined;
  do {
    const answer = await getJson(target, path, { ...query, limit: Math.min(left, largest), cursor }, page, signal);
    const { [name]: items, next_cursor } = answer as Record<string, unknown>;
    for (const one of (items as v.InferOutput<Item>[]).slice(0, left)) {
      left--;
      yield one;
    }
    cursor = next_cursor as string | undefined;
  } while (cursor !== undefined && left > 0);
}
