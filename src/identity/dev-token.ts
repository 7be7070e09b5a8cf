/** The token of `leasehold dev`, and of jobs from the runtime's own process: made anew at each start. */
import type { Principal } from "../kernel/principal.ts";
import type { Randomness } from "../platform/world.ts";
import type { TokenSource } from "./authenticator.ts";
import { mintBearerToken } from "./bearer-token.ts";
import { equalHashes, hashToken } from "./token-hash.ts";
import { DEFAULT_TENANT } from "./token-record.ts";

export interface DevToken extends TokenSource {
  readonly token: string;
}

/** @param id whom it stands for. */
export function createDevToken(random: Randomness, id = "dev"): DevToken {
  const token = mintBearerToken(random);
  const hash = hashToken(token);
  const principal: Principal = { id, tenant: DEFAULT_TENANT, roles: ["user", "operator"] };
  return {
    token,
    authenticate: async (presented) => (equalHashes(hashToken(presented), hash) ? principal : undefined),
  };
}
