/** Which paths there are and how they may be called: to tell a wrong method from a path where nothing is. */
import type { FastifyRequest, RouteOptions } from "fastify";
import { HttpError } from "./api-error.ts";

export class RouteTable {
  readonly #paths = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>();

  add({ url, method }: RouteOptions): void {
    const known = this.#paths.get(url) ?? { pattern: patternOf(url), methods: new Set<string>() };
    for (const one of [method].flat()) known.methods.add(one);
    this.#paths.set(url, known);
  }

  /** Why nothing answers the request. */
  refusal({ url, method }: FastifyRequest): HttpError {
    const path = url.split("?", 1)[0] ?? "";
    const here = [...this.#paths.values()].filter(({ pattern }) => pattern.test(path));
    const methods = [...new Set(here.flatMap((route) => [...route.methods]))].toSorted();
    if (methods.length === 0) {
      return new HttpError(
        404,
        "INVALID_REQUEST",
        "nothing is at this path; GET /api/openapi.json tells what there is",
      );
    }
    const allow = methods.join(", ");
    return new HttpError(405, "INVALID_REQUEST", `${method} is not allowed here: ${allow}`, { headers: { allow } });
  }
}

/** `/api/jobs/:job_id([^:/]+)::cancel` → what matches such a path. */
function patternOf(url: string): RegExp {
  const parts = url.split("::").map((part) =>
    part
      .split(/:\w+(?:\([^)]*\))?/)
      .map((text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"))
      .join("[^/:]+"),
  );
  const pattern = parts.join(":");
  return new RegExp(`^${pattern}$`);
}
