/**
 * `ctx.mcp`: a connected client of the Model Context Protocol under the lease. What is asked of the server is an operation
 * by `tool.call`, whose target begins with the name the agent gives the server: `files/read_file` for a tool,
 * `files/resource:<uri>` and `files/prompt:<name>` for what the server has besides. Lists are cut to what the lease allows.
 * What comes out has these methods and no others: a raw request would go round the lease.
 */
import type { Guard } from "../kernel/authority/guard.ts";
import { holdsDotSegment } from "../kernel/authority/targets.ts";
import { CodedError } from "../protocol/errors.ts";
import { asks, type WhenDenied } from "./ask-people.ts";
import { invalid } from "./event-bodies.ts";
import { toJsonText } from "./json-text.ts";
import { loggedResult } from "./logged-result.ts";
import { sizeOf } from "./model-usage.ts";
import type { Operate } from "./operation.ts";

/** `Client` of `@modelcontextprotocol/sdk`, by shape. */
export interface McpClientLike {
  callTool(params: never, resultSchema?: never, options?: never): Promise<object>;
}

type GuardedMethod =
  | "callTool"
  | "listTools"
  | "readResource"
  | "listResources"
  | "listResourceTemplates"
  | "getPrompt"
  | "listPrompts"
  | "getServerCapabilities"
  | "getServerVersion"
  | "getInstructions";

export type GuardedMcpClient<Client extends McpClientLike> = Pick<Client, Extract<keyof Client, GuardedMethod>>;

export interface McpOptions extends WhenDenied {
  /**
   * What the lease calls the server: letters, digits, `.`, `_` and `-`, at most 64. The agent gives it, since a server
   * could name itself after another.
   */
  readonly name: string;
}

export interface McpParts {
  readonly guard: Guard;
  readonly operate: Operate;
  signal(): AbortSignal;
  /** Of the attempt. */
  traceparent(): string;
}

interface Params {
  readonly name?: unknown;
  readonly uri?: unknown;
  readonly arguments?: unknown;
  readonly _meta?: Readonly<Record<string, unknown>>;
}
interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
}
type Request = (params: Params | undefined, options: RequestOptions) => Promise<Result>;
interface Result extends Readonly<Record<string, unknown>> {
  readonly isError?: unknown;
  readonly content?: unknown;
}

/** The client as it is used here; a method is missing where the client is of another make. */
type Whole = Readonly<Record<Exclude<GuardedMethod, "callTool">, Request>> & {
  callTool(params: Params, resultSchema: unknown, options: RequestOptions): Promise<Result>;
};

const SERVER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Tools that would be taken for something else of their server. */
const OTHER_KINDS = /^(resource|prompt):/;
/** What parsers of addresses leave out without a word. */
const STRIPPED = /[\t\n\r]/;
/** Longest text of a tool's own error that is put on the log, in UTF-16 units. */
const MAX_ERROR_LENGTH = 4_096;

export function createMcp(
  parts: McpParts,
): <Client extends McpClientLike>(client: Client, options: McpOptions) => GuardedMcpClient<Client> {
  return <Client extends McpClientLike>(client: Client, options: McpOptions) => {
    if (typeof client?.callTool !== "function") throw invalid("mcp.client", "must be a connected MCP client");
    const server = options?.name;
    if (typeof server !== "string" || !SERVER_NAME.test(server)) {
      throw invalid("mcp.name", 'must name the server, such as "files": the lease allows its tools as files/<tool>');
    }
    const { name: _name, ...whenDenied } = options;
    asks("mcp", whenDenied);
    return guardClient(parts, client as unknown as Whole, server, whenDenied) as unknown as GuardedMcpClient<Client>;
  };
}

function guardClient(parts: McpParts, client: Whole, server: string, whenDenied: WhenDenied): Whole {
  /** The trace goes along (§11), in the place that MCP has for it, and what stops the job stops the request. */
  const prepared = (params: Params | undefined, traceparent: string): Params => ({
    ...params,
    _meta: { traceparent, ...params?._meta },
  });
  const stoppable = (options: RequestOptions | undefined, signal: AbortSignal): RequestOptions => ({
    ...options,
    signal: options?.signal === undefined ? signal : AbortSignal.any([signal, options.signal]),
  });

  const ask = (
    what: { readonly item: string; readonly args: unknown; describe(result: Result): unknown },
    request: (traceparent: string, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> => {
    const target = `${server}/${what.item}`;
    const { args, describe } = what;
    const operations = [{ namespace: "tool.call", target }];
    return parts.operate({ operations, tool: target, args, describe, whenDenied }, ({ traceparent, signal }) =>
      request(traceparent, signal),
    );
  };
  const list = (
    method: "listTools" | "listResources" | "listPrompts",
    field: string,
    itemOf: (entry: Params) => string,
  ) =>
    (async (params, options) => {
      const result = await client[method](prepared(params, parts.traceparent()), stoppable(options, parts.signal()));
      const entries = Array.isArray(result[field]) ? (result[field] as readonly Params[]) : [];
      const allowed: Params[] = [];
      for (const entry of entries) if (await isAllowed(parts.guard, `${server}/${itemOf(entry)}`)) allowed.push(entry);
      return { ...result, [field]: allowed };
    }) satisfies Request;

  return {
    callTool: async (given, resultSchema, options) => {
      const params = taken("callTool", given);
      const name = named("callTool.name", params.name);
      if (OTHER_KINDS.test(name)) throw invalid("callTool.name", "must not begin with resource: or prompt:");
      const described = { item: name, args: params.arguments ?? {}, describe: describeToolResult };
      return ask(described, (traceparent, signal) =>
        client.callTool(prepared(params, traceparent), resultSchema, stoppable(options, signal)),
      );
    },
    readResource: async (given, options) => {
      const params = taken("readResource", given);
      const uri = named("readResource.uri", params.uri);
      // Servers bring addresses into a form of their own, and would find another resource than the one that was checked.
      if (STRIPPED.test(uri) || holdsDotSegment(uri.slice(uri.indexOf(":") + 1))) {
        throw invalid("readResource.uri", "must have no . or .. segments, tabs and line breaks");
      }
      const described = { item: `resource:${uri}`, args: { uri }, describe: describeSize };
      return ask(described, (traceparent, signal) =>
        client.readResource(prepared(params, traceparent), stoppable(options, signal)),
      );
    },
    getPrompt: async (given, options) => {
      const params = taken("getPrompt", given);
      const name = named("getPrompt.name", params.name);
      const args = { name, arguments: params.arguments ?? {} };
      return ask({ item: `prompt:${name}`, args, describe: describeSize }, (traceparent, signal) =>
        client.getPrompt(prepared(params, traceparent), stoppable(options, signal)),
      );
    },
    listTools: list("listTools", "tools", ({ name }) => String(name)),
    listResources: list("listResources", "resources", ({ uri }) => `resource:${uri}`),
    listPrompts: list("listPrompts", "prompts", ({ name }) => `prompt:${name}`),
    listResourceTemplates: (params, options) =>
      client.listResourceTemplates(prepared(params, parts.traceparent()), stoppable(options, parts.signal())),
    getServerCapabilities: (...args) => client.getServerCapabilities(...args),
    getServerVersion: (...args) => client.getServerVersion(...args),
    getInstructions: (...args) => client.getInstructions(...args),
  };
}

/** @throws CodedError whatever refuses everything: an expired lease, an exhausted budget, a stopped job. */
async function isAllowed(guard: Guard, target: string): Promise<boolean> {
  try {
    await guard.check({ namespace: "tool.call", target });
    return true;
  } catch (error) {
    if (error instanceof CodedError && error.code === "PERMISSION_DENIED") return false;
    throw error;
  }
}

/** A tool's own failure is a result to the caller, and an error on the log. */
function describeToolResult(result: Result): unknown {
  const { content, isError } = result;
  const items = Array.isArray(content) ? (content as readonly Readonly<Record<string, unknown>>[]) : [];
  if (isError === true) {
    const text = items.map((item) => (typeof item.text === "string" ? item.text : "")).join("\n");
    return new CodedError("INTERNAL_ERROR", `the tool failed: ${text.slice(0, MAX_ERROR_LENGTH)}`);
  }
  const { _meta, ...told } = result;
  if (!Array.isArray(content)) return loggedResult(told);
  return loggedResult({ ...told, content: items.map(withoutData) });
}

/** Pictures, sounds and files are told of by their size. */
function withoutData({ data, blob, resource, ...item }: Readonly<Record<string, unknown>>): unknown {
  const characters = sizeOf(data) + sizeOf(blob);
  const embedded = typeof resource === "object" && resource !== null ? withoutData({ ...resource }) : resource;
  return { ...item, ...(resource !== undefined && { resource: embedded }), ...(characters > 0 && { characters }) };
}

function describeSize({ contents, messages }: Result): unknown {
  return { bytes: sizeOf(contents ?? messages) };
}

/** As it is now: what is checked and on the log is what is sent, whatever the caller makes of these objects meanwhile. */
function taken(method: string, given: Params | undefined): Params {
  const params = { ...given };
  if (params.arguments === undefined) return params;
  const text = toJsonText(params.arguments, `${method}.arguments`, "INVALID_REQUEST");
  return { ...params, arguments: text === undefined ? undefined : JSON.parse(text) };
}

function named(field: string, value: unknown): string {
  if (typeof value !== "string" || value === "") throw invalid(field, "must be a string that is not empty");
  return value;
}
