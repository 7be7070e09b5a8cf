/** From the claims of a token that was verified to the principal it stands for. */
import type { Principal, Role } from "../kernel/principal.ts";
import { DEFAULT_TENANT } from "./token-record.ts";

/** Which claims say who it is. A name is looked up as it stands, and else as a path such as `realm_access.roles`. */
export interface ClaimNames {
  /** Default: `sub`. */
  readonly principal?: string;
  /** Required in every token once it is named. Default: everyone is of the tenant `default`. */
  readonly tenant?: string;
  /** A list of strings, or one string with spaces in between. Default: no claim makes anyone an operator. */
  readonly roles?: string;
  /** The value among `roles` that makes an operator. Default: `operator`. */
  readonly operatorRole?: string;
}

/** UTF-16 units of a principal's id, or a tenant, once it is encoded. Longer ones are refused. */
const MAX_ID_LENGTH = 256;
const MAX_ROLES = 1_000;

/**
 * Principals of this runtime's own: of `leasehold dev`, of stdio, of whoever brings no token. An issuer that lets people
 * choose their name lets nobody become one of these.
 */
const RESERVED = new Set(["dev", "local", "anonymous"]);

/** The principal; undefined when the claims name none, or one that nobody may be. */
export function principalOfClaims(claims: Readonly<Record<string, unknown>>, names: ClaimNames): Principal | undefined {
  const id = encodeId(readClaim(claims, names.principal ?? "sub"));
  const tenant = names.tenant === undefined ? DEFAULT_TENANT : encodeId(readClaim(claims, names.tenant));
  if (id === undefined || tenant === undefined) return undefined;
  if (tenant === DEFAULT_TENANT && RESERVED.has(id)) return undefined;
  const held = names.roles === undefined ? [] : readRoles(readClaim(claims, names.roles));
  const roles: readonly Role[] = held.includes(names.operatorRole ?? "operator") ? ["user", "operator"] : ["user"];
  return { id, tenant, roles };
}

function readClaim(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const part of name.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[part];
  }
  return value;
}

/**
 * `/` separates a tenant from an id in a principal's key, `*` stands for everyone, and control characters have no place
 * in a log: these and `%` are percent-encoded, so that two different claims never name the same principal.
 */
function encodeId(claim: unknown): string | undefined {
  if (typeof claim !== "string" || claim === "" || claim.length > MAX_ID_LENGTH || !claim.isWellFormed())
    return undefined;
  const encoded = claim.replace(/[%/*\s\p{C}]/gu, (character) =>
    Array.from(
      new TextEncoder().encode(character),
      (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
    ).join(""),
  );
  return encoded.length > MAX_ID_LENGTH ? undefined : encoded;
}

function readRoles(claim: unknown): readonly string[] {
  const roles = typeof claim === "string" ? claim.split(" ") : Array.isArray(claim) ? claim : [];
  return roles.slice(0, MAX_ROLES).filter((role) => typeof role === "string");
}
