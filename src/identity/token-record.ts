/** A token as it is kept: everything but the token itself. Also the format of the token file, and its checks. */
import * as v from "valibot";
import type { Role } from "../kernel/principal.ts";

export interface TokenRecord {
  /** `tok_` and a ULID. */
  readonly id: string;
  /** Given by whoever created it; unique in the file. */
  readonly name: string;
  /** The principal's id. */
  readonly principal: string;
  readonly tenant: string;
  readonly roles: readonly Role[];
  /** `hashToken` of the token. */
  readonly hash: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Milliseconds since the epoch; from then on the token is refused. Absent: never. */
  readonly expiresAt?: number;
}

export const DEFAULT_TENANT = "default";

/** Raised when a released version would misread the file. */
const FORMAT_VERSION = 1;

/** Names, principals and tenants. No `/`: it separates tenant from id in a principal's key. */
const Label = v.pipe(
  v.string(),
  v.regex(
    /^[A-Za-z0-9][A-Za-z0-9._@:+-]{0,127}$/,
    "must be 1 to 128 letters, digits or . _ @ : + -, and begin with a letter or digit",
  ),
);
const TokenName = v.pipe(
  Label,
  v.check((name) => !name.startsWith("tok_"), "must not begin with tok_, which marks an id"),
);
const Roles = v.pipe(v.array(v.picklist(["user", "operator"])), v.minLength(1, "must name at least one role"));
const Timestamp = v.pipe(
  v.string(),
  v.isoTimestamp(),
  v.transform((text) => Date.parse(text)),
  // What passes as ISO 8601 and is no date here (an offset of `+01`) becomes NaN, and would never expire.
  v.number(),
);

const TokenFile = v.object({
  version: v.literal(FORMAT_VERSION),
  tokens: v.array(
    v.object({
      id: v.pipe(v.string(), v.startsWith("tok_")),
      name: TokenName,
      principal: Label,
      tenant: Label,
      roles: Roles,
      hash: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "must be 64 hex digits")),
      created_at: Timestamp,
      expires_at: v.optional(Timestamp),
    }),
  ),
});

/** What `create` is given once defaults are filled in. */
const NewToken = v.object({ name: TokenName, principal: Label, tenant: Label, roles: Roles });
export type NewToken = v.InferOutput<typeof NewToken>;

function describe(issues: readonly [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]]): string {
  const path = v.getDotPath(issues[0]);
  return path === null ? issues[0].message : `${path}: ${issues[0].message}`;
}

/** @throws Error naming the field, and what would be right. */
export function parseNewToken(value: NewToken): NewToken {
  const parsed = v.safeParse(NewToken, value);
  if (!parsed.success) throw new Error(describe(parsed.issues));
  return parsed.output;
}

/** @throws Error saying what is wrong with the text. */
export function decodeTokenFile(text: string): readonly TokenRecord[] {
  const parsed = v.safeParse(TokenFile, JSON.parse(text));
  if (!parsed.success) throw new Error(describe(parsed.issues));
  return parsed.output.tokens.map(({ created_at, expires_at, ...record }) => ({
    ...record,
    createdAt: created_at,
    ...(expires_at === undefined ? {} : { expiresAt: expires_at }),
  }));
}

export function encodeTokenFile(records: readonly TokenRecord[]): string {
  const tokens = records.map(({ createdAt, expiresAt, ...record }) => ({
    ...record,
    created_at: new Date(createdAt).toISOString(),
    ...(expiresAt === undefined ? {} : { expires_at: new Date(expiresAt).toISOString() }),
  }));
  return `${JSON.stringify({ version: FORMAT_VERSION, tokens }, null, 2)}\n`;
}
