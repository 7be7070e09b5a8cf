/**
 * The public keys of an issuer, fetched when a token needs them: from its JWKS URL, or from where its discovery document
 * says. A slow or dead issuer costs one caller a bounded wait, and afterwards nobody anything until it is asked again;
 * meanwhile the last keys it told are good for an hour.
 */
import type * as JoseModule from "jose";
import type { FlattenedJWSInput, JWTHeaderParameters, JWTVerifyGetKey } from "jose";
import type { Log } from "../platform/log.ts";
import type { World } from "../platform/world.ts";

/** How long the issuer may take for its discovery document, and again for its keys: within the 10 s of a handshake. */
const FETCH_WITHIN_MS = 3_000;
/** Longest document of an issuer, in bytes; a set of a hundred keys with their certificates takes some 400 kB. */
const MAX_DOCUMENT_BYTES = 1_048_576;
/** Keys are fetched anew when they are this old. A key the issuer has withdrawn is good for that long. */
const KEYS_FRESH_MS = 600_000;
/** A token that names an unknown key has the keys fetched again, but not more often than this. */
const KEYS_COOLDOWN_MS = 30_000;
/** While the issuer cannot be reached, keys are good until they are this old. */
export const KEYS_STALE_MS = 3_600_000;
/** After a failure the issuer is left alone for this long. */
export const ISSUER_RETRY_MS = 10_000;

/** The keys cannot be had: this says nothing about the token. */
export class KeysUnavailableError extends Error {
  override readonly name = "KeysUnavailableError";
}

export interface IssuerKeysOptions {
  readonly issuer: string;
  /** Default: the one that `<issuer>/.well-known/openid-configuration` names. */
  readonly jwksUrl?: string;
  /** Default: `KEYS_COOLDOWN_MS`. */
  readonly cooldownMs?: number;
}

type Jose = typeof JoseModule;
/** What jose keeps of the keys: when they came, by its own clock, and what they are. */
type KeyCache = { uat?: number; jwks?: Parameters<Jose["createLocalJWKSet"]>[0] };
/** The keys last told, and when. */
interface Told {
  readonly uat: number;
  readonly at: number;
  readonly find: JWTVerifyGetKey;
}

/**
 * @throws Error when a URL is none, or neither https nor loopback.
 * @returns finds the key for a token. It rejects with a JOSE error when there is none, and with `KeysUnavailableError` when
 * nobody can tell.
 */
export function createIssuerKeys(options: IssuerKeysOptions, world: World, log: Log): JWTVerifyGetKey {
  const { issuer, cooldownMs = KEYS_COOLDOWN_MS } = options;
  const configured = options.jwksUrl === undefined ? undefined : keyUrl(options.jwksUrl, "the JWKS URL");
  const discovery = configured === undefined ? discoveryUrl(issuer) : undefined;
  let jose: Jose | undefined;
  let remote: Promise<JWTVerifyGetKey> | undefined;
  let cache: KeyCache = {};
  let told: Told | undefined;
  let failure: { readonly error: unknown; readonly at: number } | undefined;

  async function open({ createRemoteJWKSet, customFetch, jwksCache }: Jose): Promise<JWTVerifyGetKey> {
    const url = configured ?? (await discover(discovery as URL, issuer, world));
    const opened: KeyCache = {};
    const set = createRemoteJWKSet(url, {
      timeoutDuration: FETCH_WITHIN_MS,
      cooldownDuration: cooldownMs,
      cacheMaxAge: KEYS_FRESH_MS,
      [customFetch]: fetchBounded,
      // jose fills in what it has fetched.
      [jwksCache]: opened as Required<KeyCache>,
    });
    cache = opened;
    return set;
  }

  function remember({ createLocalJWKSet }: Jose): void {
    const { uat, jwks } = cache;
    if (uat === undefined || jwks === undefined || uat === told?.uat) return;
    told = { uat, at: world.clock.now(), find: createLocalJWKSet(jwks) };
  }

  function fromTold(header: JWTHeaderParameters, token: FlattenedJWSInput) {
    if (told !== undefined && world.clock.now() < told.at + KEYS_STALE_MS) return told.find(header, token);
    throw new KeysUnavailableError(`the keys of ${issuer} cannot be fetched`, { cause: failure?.error });
  }

  return async (header, token) => {
    jose ??= await import("jose");
    if (failure !== undefined && world.clock.now() < failure.at + ISSUER_RETRY_MS) return fromTold(header, token);
    try {
      remote ??= open(jose);
      const find = await remote;
      const key = await find(header, token);
      failure = undefined;
      remember(jose);
      return key;
    } catch (error) {
      remember(jose);
      if (isAboutToken(jose, error)) throw error;
      // All who wait for one answer miss it together, and it is told once.
      if (remote !== undefined) log.warn({ err: error, issuer }, "the keys of the issuer cannot be fetched");
      failure = { error, at: world.clock.now() };
      // Discovered anew the next time: the keys may have moved.
      remote = undefined;
      return fromTold(header, token);
    }
  };
}

function isAboutToken({ errors }: Jose, error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}

function keyUrl(text: string, what: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isLoopback = url !== undefined && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url !== undefined && (url.protocol === "https:" || (url.protocol === "http:" && isLoopback))) return url;
  throw new Error(`${what} must be an https URL (http only on loopback), not "${text}"`);
}

function discoveryUrl(issuer: string): URL {
  return keyUrl(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, "the issuer, to be discovered,");
}

/** Where the issuer says its keys are. It must call itself by the very name we know it by. */
async function discover(url: URL, issuer: string, world: World): Promise<URL> {
  const abort = new AbortController();
  const timer = world.timers.after(FETCH_WITHIN_MS, () =>
    abort.abort(new Error(`${url} did not answer within ${FETCH_WITHIN_MS / 1000} s`)),
  );
  try {
    const response = await fetchBounded(url.href, {
      signal: abort.signal,
      redirect: "manual",
      headers: { accept: "application/json" },
    });
    if (response.status !== 200) throw new Error(`${url} answered ${response.status}`);
    const document = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown } | null;
    if (document?.issuer !== issuer) throw new Error(`${url} is the document of another issuer`);
    return keyUrl(String(document.jwks_uri), `jwks_uri of ${url}`);
  } finally {
    timer.cancel();
  }
}

/** @throws Error for an answer longer than `MAX_DOCUMENT_BYTES`, of which no more is read. */
async function fetchBounded(url: string, options: RequestInit): Promise<Response> {
  const { status, headers, body } = await fetch(url, options);
  const pieces: Uint8Array[] = [];
  let left = MAX_DOCUMENT_BYTES;
  for await (const piece of body ?? []) {
    left -= piece.length;
    if (left < 0) throw new Error(`${url} answered with more than ${MAX_DOCUMENT_BYTES} bytes`);
    pieces.push(piece);
  }
  return new Response(pieces.length === 0 ? null : Buffer.concat(pieces), { status, headers });
}
