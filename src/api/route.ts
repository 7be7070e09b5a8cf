/** What a route is added to, and what it is made of. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import type { ApiOptions } from "./api-options.ts";
import type { Followers } from "./followers.ts";
import type { LongAnswers } from "./long-answers.ts";
import type { PageCursors } from "./page-cursor.ts";

export type App = FastifyInstance<Server, IncomingMessage, ServerResponse, FastifyBaseLogger, TypeBoxTypeProvider>;

export interface RouteContext extends ApiOptions {
  readonly answers: LongAnswers;
  readonly followers: Followers;
  readonly cursors: PageCursors;
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** Answered to anyone. */
    isPublic?: boolean;
  }
}
