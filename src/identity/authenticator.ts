/** Who is calling? The port `sessions/` asks at every hello and resume, over whatever knows tokens. */
import type { Principal } from "../kernel/principal.ts";
import { ANONYMOUS, isAnonymous } from "./anonymous.ts";

/** As they came from the client: `session.hello`'s `auth`, or the bearer token of the upgrade. Nothing is checked. */
export interface Credentials {
  /** Default: `bearer`, the only scheme known (§6.1). */
  readonly scheme?: string | undefined;
  readonly token?: string | undefined;
  /** Where the client is, as the transport knows it. Tells nobody who it is; nobody without it is anonymous. */
  readonly address?: string | undefined;
}

export interface Authenticator {
  /**
   * The principal these credentials belong to; undefined when they are missing, unknown, expired or revoked.
   * Rejects when tokens cannot be looked up: the caller is then refused with `INTERNAL_ERROR`, not let in.
   */
  authenticate(credentials: Credentials): Promise<Principal | undefined>;
}

/** What knows tokens: the token file, an issuer of JWTs, the development token. */
export interface TokenSource {
  authenticate(token: string): Promise<Principal | undefined>;
}

/** Longer tokens are refused unread: hashing them would be work done for strangers. A JWT with many roles takes some 8 KiB. */
export const MAX_TOKEN_LENGTH = 16_384;

/**
 * Asks each source in turn; the first that knows the token decides.
 * @param options.anonymous lets whoever brings no token in, from loopback addresses: see `isAnonymous`.
 */
export function createAuthenticator(
  sources: readonly TokenSource[],
  { anonymous = false }: { readonly anonymous?: boolean } = {},
): Authenticator {
  return {
    async authenticate({ scheme = "bearer", token = "", address }) {
      if (anonymous && isAnonymous(token, address)) return ANONYMOUS;
      if (scheme.toLowerCase() !== "bearer" || token === "" || token.length > MAX_TOKEN_LENGTH) return undefined;
      for (const source of sources) {
        const principal = await source.authenticate(token);
        if (principal !== undefined) return principal;
      }
      return undefined;
    },
  };
}
