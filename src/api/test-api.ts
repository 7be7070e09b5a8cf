/**
 * For tests: the API over a kernel in memory. Turns of the event loop are real, since sockets need them; time moves only
 * by `world.advance`. Every answer is held against what the OpenAPI document says of it.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Compile } from "typebox/compile";
import { expect, onTestFinished } from "vitest";
import { createVisibility, type ObservePolicy } from "../identity/visibility.ts";
import type { RunnableAgent } from "../kernel/agents-port.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Principal } from "../kernel/principal.ts";
import { createTestKernel } from "../kernel/test-kernel.ts";
import type { Log } from "../platform/log.ts";
import { createSystemWorld } from "../platform/system-world.ts";
import { createFakeWorld, type FakeWorld } from "../testing/fake-world.ts";
import { createApiFace } from "./api-face.ts";
import type { ApiOptions } from "./api-options.ts";
import { buildApi } from "./app.ts";
import { type RequestRate, requestRateOf } from "./request-rate.ts";

/** Tokens and whose they are. */
const PRINCIPALS: Readonly<Record<string, Principal>> = {
  me: { id: "me", tenant: "t", roles: ["user"] },
  you: { id: "you", tenant: "t", roles: ["user"] },
  boss: { id: "boss", tenant: "t", roles: ["operator"] },
  stranger: { id: "stranger", tenant: "u", roles: ["operator"] },
  root: { id: "root", tenant: "default", roles: ["operator"] },
};

/** Where requests come from. */
const ADDRESS = "203.0.113.7";

export interface Call {
  readonly method?: "GET" | "POST" | "HEAD" | "PUT" | "DELETE";
  /** Default: `me`. Null sends none. */
  readonly token?: string | null;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect to be there.
  readonly json: any;
  /** Lines of JSON, blank ones left out. */
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly lines: any[];
}

export interface TestApi {
  readonly kernel: Kernel;
  readonly world: FakeWorld;
  /** Lines an operator would see as errors. */
  readonly errors: string[];
  /** Tokens that were good, and are not any more. */
  readonly revoked: Set<string>;
  readonly document: OpenApi;
  /** One request, without a socket. Checks the answer against the document. */
  call(path: string, call?: Call): Promise<Answer>;
  /** Submits as `me` and returns the job's id. */
  submit(agent: string, body?: object, token?: string): Promise<string>;
  /** Submits, and waits until the job has ended. */
  run(agent: string, body?: object, token?: string): Promise<string>;
  /** The API behind a port of its own, until the test has finished. */
  listen(): Promise<{ readonly url: string; close(): void }>;
}

export interface OpenApi {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Operation {
  readonly operationId?: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { schema: object }>> }>>;
}

export interface TestApiOptions {
  readonly agents?: readonly RunnableAgent[];
  readonly observe?: ObservePolicy;
  readonly requestRate?: RequestRate;
  /** Whoever comes from `ADDRESS` without a token is `you`. */
  readonly anonymous?: boolean;
}

export async function createTestApi(options: TestApiOptions = {}): Promise<TestApi> {
  const fake = createFakeWorld();
  const { soon } = createSystemWorld().timers;
  const world: FakeWorld = Object.create(fake, { timers: { value: { ...fake.timers, soon } } });
  const errors: string[] = [];
  const drop = (): void => {};
  const log: Log = { debug: drop, info: drop, warn: drop, error: (_, message) => void errors.push(message) };
  const { kernel } = await createTestKernel({ agents: options.agents ?? [], world, log });
  const revoked = new Set<string>();
  const apiOptions: ApiOptions = {
    kernel,
    authenticator: {
      authenticate: async ({ token = "", address }) => {
        if (options.anonymous === true && token === "" && address === ADDRESS) return PRINCIPALS.you;
        if (token === "unreadable") throw new Error("tokens cannot be read");
        return revoked.has(token) ? undefined : PRINCIPALS[token];
      },
    },
    visibility: createVisibility(options.observe),
    world,
    log,
    version: "1.2.3",
    startedAt: world.clock.now(),
    countSessions: () => 3,
    measureStore: async () => 4_096,
    requestRate: requestRateOf(options.requestRate),
  };
  const api = await buildApi(apiOptions, () => ADDRESS);
  onTestFinished(async () => {
    api.close();
    await kernel.close();
    await api.app.close();
  });
  const document = (await api.app.inject("/api/openapi.json")).json() as OpenApi;

  async function call(path: string, { method = "GET", token = "me", body, headers = {} }: Call = {}): Promise<Answer> {
    const response = await api.app.inject({
      method,
      url: path,
      headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers },
      ...(body === undefined ? {} : { payload: body as object }),
    });
    const type = String(response.headers["content-type"] ?? "").split(";")[0] ?? "";
    const text = response.body;
    const lines = type.endsWith("ndjson")
      ? text
          .split("\n")
          .filter(Boolean)
          .map((line) => JSON.parse(line))
      : [];
    const json = type === "application/json" && text !== "" ? JSON.parse(text) : undefined;
    if (text !== "") {
      const values = type.endsWith("ndjson") ? lines.filter((line) => line.type !== "error") : [json];
      for (const value of values) expectDocumented(document, method, path, response.statusCode, type, value);
    }
    return { status: response.statusCode, headers: response.headers, text, json, lines };
  }

  async function submit(agent: string, body: object = {}, token = "me"): Promise<string> {
    const answer = await call("/api/jobs", { method: "POST", token, body: { agent, ...body } });
    expect(answer).toMatchObject({ status: 201 });
    return answer.json.job_id;
  }

  return {
    kernel,
    world,
    errors,
    revoked,
    document,
    call,
    submit,
    async run(agent, body, token) {
      const job = await submit(agent, body, token);
      for await (const _ of kernel.follow(job, 0));
      return job;
    },
    async listen() {
      const face = createApiFace(apiOptions);
      const server = createServer((request, response) => face.handle(request, response, { address: ADDRESS }));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      onTestFinished(() => {
        face.close();
        server.close();
        server.closeAllConnections();
      });
      return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => face.close() };
    },
  };
}

/** The answer is one the document tells of, and holds nothing that it does not tell of. */
function expectDocumented(
  document: OpenApi,
  method: string,
  path: string,
  status: number,
  type: string,
  value: unknown,
) {
  const plain = path.split("?", 1)[0] ?? "";
  const known = Object.entries(document.paths).find(([template]) => {
    return new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/:]+")}$`).test(plain);
  });
  const responses = known?.[1][method.toLowerCase()]?.responses;
  // What nothing answers has no place in the document, but answers in the same shape as all that refuses.
  const described = responses?.[status] ?? responses?.[`${Math.floor(status / 100)}XX`] ?? REFUSED;
  const content = described.content?.[type];
  expect(content, `${method} ${path} answered ${status} with ${type}`).toBeDefined();
  if (type !== "application/json" && !type.endsWith("ndjson")) return;
  const check = Compile(closed(content?.schema ?? {}) as object);
  expect(check.Errors(value), `${method} ${path} answered ${JSON.stringify(value)}`).toEqual([]);
}

const REFUSED: Operation["responses"][string] = {
  content: {
    "application/json": {
      schema: {
        type: "object",
        required: ["error"],
        properties: {
          error: {
            type: "object",
            required: ["code", "message", "retryable", "request_id"],
            properties: {
              code: { type: "string" },
              message: { type: "string" },
              retryable: { type: "boolean" },
              details: {},
              request_id: { type: "string" },
            },
          },
        },
      },
    },
  },
};

/** The schema, with every object in it closed to properties it does not name. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return copy.properties === undefined || "additionalProperties" in copy
    ? copy
    : { ...copy, additionalProperties: false };
}
