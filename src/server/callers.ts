/** Who may call a runtime: its token file, issuers of JWTs, whoever brings no token, or an authenticator of one's own. */
import { join } from "node:path";
import { type Authenticator, createAuthenticator, type TokenSource } from "../identity/authenticator.ts";
import type { JwtOptions } from "../identity/jwt.ts";
import { createTokens, TOKEN_FILE, type TokenChange } from "../identity/token-file.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type Principal, principalKey } from "../kernel/principal.ts";
import type { Log } from "../platform/log.ts";
import type { Timers, World } from "../platform/world.ts";

export interface CallerOptions {
  /**
   * Who may call, in place of everything below; has 10 seconds to say so. Default: the tokens in `<data>/tokens.json`, and
   * what is below.
   */
  readonly authenticator?: Authenticator;
  /** Issuers whose JWTs are accepted, beside the tokens of the data directory. */
  readonly jwt?: JwtOptions | readonly JwtOptions[];
  /** Accepts tokens that something of yours knows, asked before all others; each has 10 seconds to answer. */
  readonly tokenSources?: readonly TokenSource[];
  /**
   * Lets whoever brings no token in, as the principal `anonymous`, from loopback addresses only; the runtime then refuses
   * to listen elsewhere. Default: false.
   */
  readonly anonymous?: boolean;
}

interface Environment {
  readonly data: string;
  readonly world: World;
  readonly log: Log;
}

export interface Callers extends Authenticator {
  /** From now on, changes of the token file are audited. They are seen when it is read, which authenticating does. */
  watch(kernel: Kernel): Promise<void>;
}

/** @throws Error when an issuer's options are not right, or its key file cannot be used. */
export async function createCallers(options: CallerOptions, { data, world, log }: Environment): Promise<Callers> {
  const { authenticator, anonymous = false, tokenSources = [] } = options;
  if (authenticator !== undefined) {
    return {
      authenticate: async (credentials) => checked(await within(world.timers, authenticator.authenticate(credentials))),
      watch: async () => {},
    };
  }
  let onChange: ((change: TokenChange) => void) | undefined;
  const tokens = createTokens(join(data, TOKEN_FILE), world, (change) => onChange?.(change));
  const own = tokenSources.map((source) => ({
    authenticate: async (token: string) => checked(await within(world.timers, source.authenticate(token))),
  }));
  const sources = [...own, tokens, ...(await openIssuers(options.jwt ?? [], world, log))];
  return {
    ...createAuthenticator(sources, { anonymous }),
    async watch(kernel) {
      onChange = (change) => auditChange(kernel, change);
      // What is there now is what later changes are told against. A damaged file is told to whoever authenticates.
      await tokens.list().catch(() => undefined);
    },
  };
}

/** How long an authenticator or token source of the user's own may take: as long as a handshake. In milliseconds. */
export const ANSWER_WITHIN_MS = 10_000;

/** Connections are authenticated again one after the other: one answer that never comes would keep every one of them open. */
async function within<Answer>(timers: Timers, answer: Promise<Answer>): Promise<Answer> {
  const late = Promise.withResolvers<never>();
  const timer = timers.after(ANSWER_WITHIN_MS, () =>
    late.reject(new Error(`the authenticator did not answer within ${ANSWER_WITHIN_MS / 1000} s`)),
  );
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    timer.cancel();
  }
}

/** @throws Error for a principal whose key would be another's, or stand for many: `tenant/*` is everyone. */
function checked(principal: Principal | undefined): Principal | undefined {
  for (const part of principal === undefined ? [] : [principal.tenant, principal.id]) {
    if (part === "" || /[/*]/.test(part) || !part.isWellFormed()) {
      throw new Error(
        `a principal's tenant and id must not be empty, nor hold "/" or "*": ${JSON.stringify(principal)}`,
      );
    }
  }
  return principal;
}

/** Imported where it is used: most runtimes know no issuer. */
async function openIssuers(jwt: JwtOptions | readonly JwtOptions[], world: World, log: Log): Promise<TokenSource[]> {
  const issuers = "issuer" in jwt ? [jwt] : jwt;
  if (issuers.length === 0) return [];
  const { createJwtSource } = await import("../identity/jwt.ts");
  return Promise.all(issuers.map((issuer) => createJwtSource(issuer, world, log)));
}

/** Made with the file at hand: nobody knows by whom, but for whom. */
function auditChange(kernel: Kernel, { action, token }: TokenChange): void {
  const { id, name, roles, expiresAt } = token;
  kernel.audit({
    principal: null,
    action: action === "created" ? "token.create" : "token.revoke",
    job: null,
    owner: principalKey({ id: token.principal, tenant: token.tenant, roles }),
    allowed: true,
    details: {
      token: id,
      name,
      roles,
      ...(expiresAt === undefined ? {} : { expires_at: new Date(expiresAt).toISOString() }),
    },
  });
}
