/**
 * The API as one fastify instance: routes with the schemas they are checked by and published with, one way to refuse,
 * and who calls before anything else. Built at the first request, since most processes serve none before they are warm.
 */
import type { IncomingMessage } from "node:http";
import fastifySwagger from "@fastify/swagger";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import { type FastifyReply, type FastifyRequest, fastify } from "fastify";
import { type PrincipalKey, principalKey } from "../kernel/principal.ts";
import { RoundRobin } from "../platform/round-robin.ts";
import { refusalOf } from "./api-error.ts";
import type { ApiOptions } from "./api-options.ts";
import { identify } from "./caller.ts";
import { Followers } from "./followers.ts";
import { parseJsonBody } from "./json-body.ts";
import { LongAnswers } from "./long-answers.ts";
import { OPENAPI } from "./openapi.ts";
import { createPageCursors } from "./page-cursor.ts";
import { RequestRates } from "./request-rate.ts";
import type { App, RouteContext } from "./route.ts";
import { RouteTable } from "./route-table.ts";
import { addAgents } from "./routes/agents.ts";
import { addArtifact } from "./routes/artifact.ts";
import { addAudit } from "./routes/audit.ts";
import { addCancel } from "./routes/cancel.ts";
import { addFeed } from "./routes/feed.ts";
import { addHealth } from "./routes/health.ts";
import { addJob } from "./routes/job.ts";
import { addJobEvents } from "./routes/job-events.ts";
import { addJobResult } from "./routes/job-result.ts";
import { addJobs } from "./routes/jobs.ts";
import { addOpenApi } from "./routes/openapi.ts";
import { addPermissions } from "./routes/permissions.ts";
import { addSubmit } from "./routes/submit.ts";
import { ErrorAnswer, NoQuery } from "./schemas.ts";
import { compileValidator } from "./validation.ts";

/** Longest body of a request, in bytes: as of a frame. */
const MAX_BODY_BYTES = 1_048_576;
/** Longer bodies, in characters, are read in turns: a megabyte of JSON may take 50 ms. */
const LONG_BODY = 16_384;
/** Longest part of a path, in characters. */
const MAX_PATH_PART = 256;

const ROUTES = [
  addAgents,
  addArtifact,
  addAudit,
  addCancel,
  addFeed,
  addHealth,
  addJob,
  addJobEvents,
  addJobResult,
  addJobs,
  addOpenApi,
  addPermissions,
  addSubmit,
];

export interface Api {
  readonly app: App;
  /** Ends answers that go on; see `Followers.close`. */
  close(): Promise<void> | undefined;
}

/** @param addressOf where a request comes from. */
export async function buildApi(options: ApiOptions, addressOf: (request: IncomingMessage) => string): Promise<Api> {
  const { world, log } = options;
  const answers = new LongAnswers();
  const followers = new Followers(options, answers);
  const rates = new RequestRates(options.requestRate, world.clock);
  const table = new RouteTable();
  /**
   * Principal after principal, for what is read; all who are nobody share theirs. A page of a listing takes some
   * milliseconds, and a hundred may be asked for at a time. As many wait as there are requests under way, which the port
   * bounds. What is written is not held back: together it is one commit.
   */
  const turns = new RoundRobin<PrincipalKey | null>(world.timers);

  const refuse = (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const refusal = refusalOf(error);
    options.onRefused?.(refusal.error.code);
    if (refusal.isFault)
      log.error({ err: error, request: request.id, path: request.routeOptions.url }, "a request failed");
    void reply
      .code(refusal.status)
      .headers(refusal.headers)
      .type("application/json; charset=utf-8")
      .send({ error: { ...refusal.error, request_id: request.id } });
  };

  const app: App = fastify({
    bodyLimit: MAX_BODY_BYTES,
    exposeHeadRoutes: false,
    genReqId: () => world.ids.next("req"),
    frameworkErrors: refuse,
    routerOptions: { maxParamLength: MAX_PATH_PART },
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "string" }, async (request: FastifyRequest, body: string) => {
    if (body.length > LONG_BODY) await turns.next(principalKey(request.caller.principal));
    return parseJsonBody(body);
  });
  app.setValidatorCompiler(compileValidator);
  // Answers are what their routes make them; that they fit their schemas is for the tests to see.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler(refuse);
  app.setNotFoundHandler((request) => {
    throw table.refusal(request);
  });
  app.addHook("onRoute", (route) => {
    table.add(route);
    const schema = route.schema as { querystring?: object; response?: object };
    schema.querystring ??= NoQuery;
    schema.response = { ...schema.response, "4xx": ErrorAnswer, "5xx": ErrorAnswer };
  });
  app.addHook("onRequest", async (request, reply) => {
    reply.headers({ "x-request-id": request.id, "cache-control": "no-store", "x-content-type-options": "nosniff" });
    if (request.routeOptions.config?.isPublic !== true)
      request.caller = await identify(request, addressOf(request.raw), options, rates);
    // Whoever may not even ask has been refused by now.
    if (request.method === "GET" || request.method === "HEAD")
      await turns.next(request.caller ? principalKey(request.caller.principal) : null);
  });
  await app.register(fastifySwagger, OPENAPI(options.version));

  const context: RouteContext = { ...options, answers, followers, cursors: createPageCursors(world.random) };
  for (const add of ROUTES) add(app, context);
  await app.ready();
  return { app, close: () => followers.close() };
}
