/** Who is calling. Comes from a token, never from a payload; identity/ makes it, the kernel stores and compares it. */

export type Role = "user" | "operator";

export interface Principal {
  /** Unique within the tenant, such as `ci-bot`. */
  readonly id: string;
  readonly tenant: string;
  readonly roles: readonly Role[];
}

/** Names one principal in the store and in comparisons: tenant and id, neither of which may contain `/`. */
export type PrincipalKey = string;

export function principalKey(principal: Principal): PrincipalKey {
  return `${principal.tenant}/${principal.id}`;
}
