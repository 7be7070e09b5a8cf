/** Who calls: authenticated before anything else, and held to a rate. */
import type { FastifyRequest } from "fastify";
import type { Credentials } from "../identity/authenticator.ts";
import { type Principal, principalKey } from "../kernel/principal.ts";
import { CodedError } from "../protocol/errors.ts";
import { HttpError, unauthenticated } from "./api-error.ts";
import type { ApiOptions } from "./api-options.ts";
import type { RequestRates } from "./request-rate.ts";

export interface Caller {
  /** Renewed while an answer goes on: roles may change. */
  principal: Principal;
  readonly credentials: Credentials;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Set before any handler runs, but for the routes that are public. */
    caller: Caller;
  }
}

/** RFC 6750 §2.1. The scheme is not case-sensitive. */
const BEARER = /^Bearer +(\S+) *$/i;

/**
 * @param address where the request comes from, as the port knows it.
 * @throws HttpError 401 without a valid bearer token, or 429 beyond the rate; CodedError INTERNAL_ERROR when tokens
 * cannot be looked up.
 */
export async function identify(
  { headers: { authorization } }: FastifyRequest,
  address: string,
  options: ApiOptions,
  rates: RequestRates,
): Promise<Caller> {
  const token = authorization === undefined ? undefined : BEARER.exec(authorization)?.[1];
  if (authorization !== undefined && token === undefined) {
    throw unauthenticated("the authorization header must be: Bearer <token>", true);
  }
  const credentials: Credentials = { scheme: "bearer", address, ...(token === undefined ? {} : { token }) };
  let principal: Principal | undefined;
  try {
    principal = await options.authenticator.authenticate(credentials);
  } catch (cause) {
    throw new CodedError("INTERNAL_ERROR", "the token cannot be looked up now; try again", { cause });
  }
  if (principal === undefined) {
    const problem = token === undefined ? "no token was given" : "the token is unknown, revoked or expired";
    const details = { code: "UNAUTHENTICATED", reason: problem, via: "api" };
    const nobody = { principal: null, job: null, owner: null, allowed: false } as const;
    options.kernel.audit({ ...nobody, action: "session.authenticate", source: address, details });
    throw unauthenticated(`${problem}; send authorization: Bearer <token>`, token !== undefined);
  }
  const waitMs = rates.take(principalKey(principal));
  if (waitMs > 0) {
    throw new HttpError(429, "INTERNAL_ERROR", "too many requests: wait before the next", {
      headers: { "retry-after": String(Math.ceil(waitMs / 1000)) },
      details: { retry_after_ms: waitMs },
    });
  }
  return { principal, credentials };
}
