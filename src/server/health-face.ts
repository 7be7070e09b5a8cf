/**
 * `/healthz`: this process runs and answers, whatever else. `/readyz`: it takes jobs, or says in a word why not. Neither
 * needs authentication, and neither says more.
 */

import { answerJson, type HttpFace } from "./http-faces.ts";
import type { StoreHealth } from "./store-health.ts";

export type NotReady = "draining" | "store_failing";

export interface Readiness {
  /** True once the runtime has been told to stop. */
  isClosing(): boolean;
  readonly store: Pick<StoreHealth, "isFailing">;
}

function face(prefix: string, look: () => { readonly status: number; readonly body: object }): HttpFace {
  return {
    prefix,
    handle(request, response) {
      if (request.method === "GET" || request.method === "HEAD") {
        const { status, body } = look();
        answerJson(request, response, status, body, { "cache-control": "no-store" });
      } else {
        const error = { message: "only GET and HEAD are allowed here" };
        answerJson(request, response, 405, { error }, { allow: "GET, HEAD" });
      }
    },
  };
}

export const healthFace: HttpFace = face("/healthz", () => ({ status: 200, body: { status: "ok" } }));

/** 503 while the runtime is draining, or cannot store anything. */
export function createReadyFace({ isClosing, store }: Readiness): HttpFace {
  const obstacle = (): NotReady | undefined => {
    if (isClosing()) return "draining";
    return store.isFailing() ? "store_failing" : undefined;
  };
  return face("/readyz", () => {
    const reason = obstacle();
    return reason === undefined
      ? { status: 200, body: { status: "ready" } }
      : { status: 503, body: { status: "not_ready", reason } };
  });
}
