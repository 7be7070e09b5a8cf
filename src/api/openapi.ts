/** The head of the OpenAPI document; its paths come from the routes themselves. */
import type { FastifyDynamicSwaggerOptions } from "@fastify/swagger";

export function OPENAPI(version: string): FastifyDynamicSwaggerOptions {
  return {
    exposeHeadRoutes: true,
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Leasehold",
        version,
        description: "Agent jobs under a lease: submit, look inside, stop. Jobs are followed live over ARCP as well.",
      },
      components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
      security: [{ bearer: [] }],
    },
  };
}
