/** JSON Web Tokens of one issuer: signed by a key of its own, for this runtime, and not yet expired (§6.1). */
import type * as Jose from "jose";
import type { JWTPayload, JWTVerifyGetKey, JWTVerifyOptions } from "jose";
import type { Principal } from "../kernel/principal.ts";
import type { Log } from "../platform/log.ts";
import type { World } from "../platform/world.ts";
import type { TokenSource } from "./authenticator.ts";
import { createIssuerKeys, KeysUnavailableError } from "./issuer-keys.ts";
import { type ClaimNames, principalOfClaims } from "./jwt-claims.ts";
import { readStaticKeys } from "./static-key.ts";

/** All with public keys: a secret shared with the issuer would let this runtime's readers make tokens. */
const JWT_ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
] as const;

/** Seconds by which the issuer's clock and ours may differ. */
const DEFAULT_CLOCK_TOLERANCE_SEC = 30;
const MAX_CLOCK_TOLERANCE_SEC = 300;
/** Keys of the issuer tried for a token that does not name one. */
const MAX_KEYS_TRIED = 8;

export interface JwtOptions {
  /** `iss` of every token, letter by letter. */
  readonly issuer: string;
  /** One of these must be in `aud` of every token. */
  readonly audience: string | readonly string[];
  /** Where the issuer's keys are. Default: where its discovery document says. Not together with `keyFile`. */
  readonly jwksUrl?: string;
  /** A file with the issuer's public key: PEM, a JWK, or a set of them. */
  readonly keyFile?: string;
  /** Default: all of `JWT_ALGORITHMS`. */
  readonly algorithms?: readonly string[];
  /** Default: 30. At most 300. */
  readonly clockToleranceSec?: number;
  readonly claims?: ClaimNames;
  /**
   * A token that names an unknown key has the keys fetched again, but no sooner than this after they last were, in
   * milliseconds; until then it is refused. Default: 30,000.
   */
  readonly cooldownMs?: number;
}

/**
 * A source that knows the tokens of one issuer. Everything but their signature is looked at first: what was not meant for
 * this runtime, or has expired, has nobody ask the issuer for keys.
 * @throws Error when the options are not right, or the key file cannot be used; the issuer itself is not asked yet.
 */
export async function createJwtSource(options: JwtOptions, world: World, log: Log): Promise<TokenSource> {
  const { issuer, claims: names = {} } = options;
  const verifying = readVerifying(options);
  const keys =
    options.keyFile === undefined ? createIssuerKeys(options, world, log) : await readStaticKeys(options.keyFile);

  return {
    /** @throws KeysUnavailableError when the token may be good, and its issuer cannot be asked. */
    async authenticate(token): Promise<Principal | undefined> {
      if (!COMPACT.test(token)) return undefined;
      const jose = await import("jose");
      const now = world.clock.now();
      try {
        const claimed = jose.decodeJwt(token);
        if (claimed.iss !== issuer || isExpired(claimed, now, verifying.clockTolerance)) return undefined;
        if (!isMeantFor(claimed, verifying.audience)) return undefined;
        const claims = await verify(jose, token, keys, { ...verifying, currentDate: new Date(now) });
        return claims === undefined ? undefined : principalOfClaims(claims, names);
      } catch (error) {
        if (error instanceof KeysUnavailableError) throw error;
        // Whatever else is wrong is wrong with the token.
        log.debug({ reason: error instanceof Error ? error.message : String(error) }, "refused a token of the issuer");
        return undefined;
      }
    },
  };
}

/** Three parts, none empty: what is no JWT is left to other sources. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

function isExpired({ exp }: JWTPayload, now: number, toleranceSec: number): boolean {
  return typeof exp !== "number" || exp <= Math.floor(now / 1000) - toleranceSec;
}

function isMeantFor({ aud }: JWTPayload, audience: readonly string[]): boolean {
  return (Array.isArray(aud) ? aud : [aud]).some((one) => typeof one === "string" && audience.includes(one));
}

/** The claims; undefined when none of the issuer's keys has signed them. */
async function verify(
  jose: typeof Jose,
  token: string,
  keys: JWTVerifyGetKey,
  options: JWTVerifyOptions,
): Promise<JWTPayload | undefined> {
  try {
    return (await jose.jwtVerify(token, keys, options)).payload;
  } catch (error) {
    if (!(error instanceof jose.errors.JWKSMultipleMatchingKeys)) throw error;
    let tried = 0;
    for await (const key of error) {
      if (++tried > MAX_KEYS_TRIED) return undefined;
      try {
        return (await jose.jwtVerify(token, key, options)).payload;
      } catch (refusal) {
        if (!(refusal instanceof jose.errors.JWSSignatureVerificationFailed)) throw refusal;
      }
    }
    return undefined;
  }
}

function readVerifying(options: JwtOptions) {
  const { issuer, algorithms = JWT_ALGORITHMS, clockToleranceSec = DEFAULT_CLOCK_TOLERANCE_SEC } = options;
  const audience = typeof options.audience === "string" ? [options.audience] : [...options.audience];
  if (issuer === "") throw new Error("the JWT issuer must be named");
  if (audience.length === 0 || audience.includes("")) throw new Error("the JWT audience must be named");
  if (options.jwksUrl !== undefined && options.keyFile !== undefined) {
    throw new Error("a JWKS URL and a key file are given: the issuer's keys come from one of them");
  }
  const unknown = algorithms.find((algorithm) => !(JWT_ALGORITHMS as readonly string[]).includes(algorithm));
  if (unknown !== undefined || algorithms.length === 0) {
    throw new Error(`JWT algorithms must be among ${JWT_ALGORITHMS.join(", ")}, not "${unknown ?? ""}"`);
  }
  if (!(clockToleranceSec >= 0 && clockToleranceSec <= MAX_CLOCK_TOLERANCE_SEC)) {
    throw new Error(`the JWT clock tolerance must be from 0 to ${MAX_CLOCK_TOLERANCE_SEC} seconds`);
  }
  return { issuer, audience, algorithms: [...algorithms], clockTolerance: clockToleranceSec, requiredClaims: ["exp"] };
}
