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

/** The principal of a key, with the roles that were kept beside it, with spaces between. */
export function principalOf(key: PrincipalKey, roles: string): Principal {
  const tenant = tenantOf(key);
  const named = roles.split(" ").filter((role): role is Role => role === "user" || role === "operator");
  return { id: key.slice(tenant.length + 1), tenant, roles: named };
}

/** A principal's key, or `tenant/*` for everyone of a tenant. */
export type PrincipalPattern = string;

/** `tenant/*`. */
export function everyoneOf(tenant: string): PrincipalPattern {
  return `${tenant}/*`;
}

/** The tenant in a principal's key, or in a pattern. */
export function tenantOf(key: PrincipalKey | PrincipalPattern): string {
  return key.slice(0, key.indexOf("/"));
}

export function matchesPrincipal(pattern: PrincipalPattern, key: PrincipalKey): boolean {
  return pattern === key || (pattern.endsWith("/*") && key.startsWith(pattern.slice(0, -1)));
}
