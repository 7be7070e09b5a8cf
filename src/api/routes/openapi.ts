/** `GET /api/openapi.json`: this API, described. Public: it tells of no runtime in particular. */
import Type from "typebox";
import type { App } from "../route.ts";

export function addOpenApi(app: App): void {
  const schema = {
    operationId: "readOpenApi",
    summary: "This document",
    security: [],
    response: { 200: Type.Record(Type.String(), Type.Unknown()) },
  };
  app.get("/api/openapi.json", { schema, config: { isPublic: true } }, async () => ({ ...app.swagger() }));
}
