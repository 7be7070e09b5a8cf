/** Who may call, and who may see whose jobs, as `serve` and `dev` are told: options first, then LEASEHOLD_JWT_… */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { JwtOptions } from "../../identity/jwt.ts";
import type { ObservePolicy } from "../../identity/visibility.ts";
import type { RuntimeOptions } from "../../server/runtime-options.ts";
import { isLoopbackAddress } from "../../transports/host-check.ts";
import { CliError, usageError } from "../cli-error.ts";
import type { CliIo } from "../io.ts";
import { parseDuration } from "./numbers-and-times.ts";

export interface CallingOptions {
  readonly host: string;
  readonly anonymous?: boolean;
  readonly observe?: string;
  readonly jwtIssuer?: string;
  readonly jwtAudience?: readonly string[];
  readonly jwtJwksUrl?: string;
  readonly jwtKey?: string;
  readonly jwtAlgorithm?: readonly string[];
  readonly jwtClockTolerance?: string;
  readonly jwtPrincipalClaim?: string;
  readonly jwtTenantClaim?: string;
  readonly jwtRolesClaim?: string;
  readonly jwtOperatorRole?: string;
}

export type CallerSettings = Pick<RuntimeOptions, "anonymous" | "jwt" | "observe" | "tokenSources">;

/**
 * What `createRuntime` is to be given. Whether an issuer's options make sense is for it to say.
 * @throws CliError USAGE, or FILE_UNREADABLE.
 */
export async function readCallers(options: CallingOptions, io: CliIo): Promise<CallerSettings> {
  const { host, anonymous = false } = options;
  if (anonymous && host !== "localhost" && !isLoopbackAddress(host)) {
    throw usageError(`--anonymous lets anybody in, so it does not go with --host ${host}`, "leave one of them out");
  }
  const jwt = readJwt(options, io);
  return {
    ...(anonymous ? { anonymous } : {}),
    ...(jwt === undefined ? {} : { jwt }),
    ...(options.observe === undefined ? {} : { observe: await readPolicy(options.observe, io) }),
  };
}

function readJwt(options: CallingOptions, io: CliIo): JwtOptions | undefined {
  const { env } = io;
  const one = (option: string | undefined, name: string) => option ?? (env[`LEASEHOLD_JWT_${name}`] || undefined);
  const list = (option: readonly string[] | undefined, name: string) =>
    option ??
    one(undefined, name)
      ?.split(",")
      .map((part) => part.trim());
  const issuer = one(options.jwtIssuer, "ISSUER");
  const audience = list(options.jwtAudience, "AUDIENCE");
  const jwksUrl = one(options.jwtJwksUrl, "JWKS_URL");
  const keyFile = one(options.jwtKey, "KEY");
  const algorithms = list(options.jwtAlgorithm, "ALGORITHMS");
  const tolerance = one(options.jwtClockTolerance, "CLOCK_TOLERANCE");
  const claims = {
    ...named("principal", one(options.jwtPrincipalClaim, "PRINCIPAL_CLAIM")),
    ...named("tenant", one(options.jwtTenantClaim, "TENANT_CLAIM")),
    ...named("roles", one(options.jwtRolesClaim, "ROLES_CLAIM")),
    ...named("operatorRole", one(options.jwtOperatorRole, "OPERATOR_ROLE")),
  };
  if (issuer === undefined) {
    const lonely = audience ?? jwksUrl ?? keyFile ?? algorithms ?? tolerance ?? Object.values(claims)[0];
    if (lonely === undefined) return undefined;
    throw usageError("JWT options are given without the issuer", "name it with --jwt-issuer or LEASEHOLD_JWT_ISSUER");
  }
  if (audience === undefined) {
    throw usageError(
      `tokens of ${issuer} are accepted for an audience only`,
      "name what this runtime is called in their aud, with --jwt-audience or LEASEHOLD_JWT_AUDIENCE",
    );
  }
  return {
    issuer,
    audience,
    claims,
    ...named("jwksUrl", jwksUrl),
    ...named("keyFile", keyFile === undefined ? undefined : resolve(io.cwd, keyFile)),
    ...named("algorithms", algorithms),
    ...named(
      "clockToleranceSec",
      tolerance === undefined ? undefined : parseDuration(tolerance, "--jwt-clock-tolerance", 0),
    ),
  };
}

function named<Name extends string, Value>(name: Name, value: Value | undefined): { readonly [Key in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [Key in Name]?: Value };
}

/** A JSON file such as `{"default/dashboard":["default/*"]}`; what it says is checked by `createVisibility`. */
async function readPolicy(file: string, io: CliIo): Promise<ObservePolicy> {
  const path = resolve(io.cwd, file);
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw new CliError("FILE_UNREADABLE", `cannot read ${file}`, { remedy: "check --observe", cause: error });
  });
  try {
    const policy: unknown = JSON.parse(text);
    if (typeof policy === "object" && policy !== null && !Array.isArray(policy)) return policy as ObservePolicy;
  } catch {
    // Told below, like any other text that is no policy.
  }
  throw usageError(`${file} holds no policy`, 'write JSON such as {"default/dashboard":["default/*"]}');
}
