/**
 * Bearer tokens kept as hashes in one file, `<data>/tokens.json`. The runtime reads it, `leasehold token` writes it,
 * also while the runtime serves: every authentication looks whether the file has changed.
 */
import type { BigIntStats } from "node:fs";
import { mkdir, readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Principal, Role } from "../kernel/principal.ts";
import type { World } from "../platform/world.ts";
import type { TokenSource } from "./authenticator.ts";
import { mintBearerToken } from "./bearer-token.ts";
import { withFileLock } from "./file-lock.ts";
import { replaceFile } from "./replace-file.ts";
import { TokenFileError } from "./token-file-error.ts";
import { equalHashes, hashToken } from "./token-hash.ts";
import {
  DEFAULT_TENANT,
  decodeTokenFile,
  encodeTokenFile,
  type NewToken,
  parseNewToken,
  type TokenRecord,
} from "./token-record.ts";

/** How the file is called within the data directory. */
export const TOKEN_FILE = "tokens.json";

export interface TokenRequest {
  /** Unique in the file; 1 to 128 letters, digits or `. _ @ : + -`. */
  readonly name: string;
  /** The principal's id. Default: the name. */
  readonly principal?: string;
  /** Default: `default`. */
  readonly tenant?: string;
  /** Default: `user` only. */
  readonly roles?: readonly Role[];
  /** Milliseconds since the epoch, in the future. Default: never. */
  readonly expiresAt?: number;
}

/** A token as listed: its hash stays in the file. */
export type TokenListing = Omit<TokenRecord, "hash">;

export interface Tokens extends TokenSource {
  /**
   * The token is returned here and nowhere else; only its hash is kept. Durable when it resolves.
   * @throws TokenFileError `invalid`, `name_taken`, `corrupt`, `locked`.
   */
  create(request: TokenRequest): Promise<{ readonly id: string; readonly token: string }>;
  /** Oldest first, expired ones included. @throws TokenFileError `corrupt`. */
  list(): Promise<readonly TokenListing[]>;
  /**
   * Refused from the next authentication on, also in a runtime that is serving. Durable when it resolves.
   * @param idOrName of the token to revoke.
   * @returns what was revoked; undefined when there is no such token.
   * @throws TokenFileError `corrupt`, `locked`.
   */
  revoke(idOrName: string): Promise<TokenListing | undefined>;
  /** @throws TokenFileError `corrupt`. */
  authenticate(token: string): Promise<Principal | undefined>;
}

/** What happened to a token since the file was read the last time, by this process or another. */
export interface TokenChange {
  readonly action: "created" | "revoked";
  readonly token: TokenListing;
}

interface Snapshot {
  /** Of the file's state on disk; differs whenever the file has been replaced or written to. */
  readonly stamp: string;
  readonly records: readonly TokenRecord[];
}

const NO_FILE: Snapshot = { stamp: "", records: [] };

function listingOf({ hash: _, ...listing }: TokenRecord): TokenListing {
  return listing;
}

function stampOf(stats: BigIntStats): string {
  return `${stats.ino}:${stats.size}:${stats.mtimeNs}`;
}

/** The stamp of the file, or undefined when there is none. */
async function readStamp(file: string): Promise<string | undefined> {
  try {
    return stampOf(await stat(file, { bigint: true }));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

async function readRecords(file: string): Promise<readonly TokenRecord[]> {
  const text = await readFile(file, "utf8");
  try {
    return decodeTokenFile(text);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new TokenFileError(
      "corrupt",
      `The token file ${file} is damaged (${cause}). Restore it from a backup, or remove it and create new tokens.`,
      { cause: error },
    );
  }
}

function tellChanges(
  before: readonly TokenRecord[],
  now: readonly TokenRecord[],
  tell: (change: TokenChange) => void,
): void {
  const idsBefore = new Set(before.map(({ id }) => id));
  const idsNow = new Set(now.map(({ id }) => id));
  for (const record of before) if (!idsNow.has(record.id)) tell({ action: "revoked", token: listingOf(record) });
  for (const record of now) if (!idsBefore.has(record.id)) tell({ action: "created", token: listingOf(record) });
}

/**
 * The tokens in `file`, which need not exist yet: then there are none, and `create` makes it.
 * @param changed hears of what is found changed at each reading but the first.
 */
export function createTokens(file: string, world: World, changed?: (change: TokenChange) => void): Tokens {
  let snapshot: Snapshot | undefined;

  /** The stamp is taken before the content: a change in between is read twice rather than missed. */
  async function read(): Promise<readonly TokenRecord[]> {
    const stamp = await readStamp(file);
    const now = stamp === undefined ? NO_FILE : snapshot;
    if (now?.stamp === (stamp ?? "")) return take(now);
    return take({ stamp: stamp ?? "", records: await readRecords(file) });
  }

  function take(now: Snapshot): readonly TokenRecord[] {
    const before = snapshot;
    snapshot = now;
    if (changed !== undefined && before !== undefined && before !== now)
      tellChanges(before.records, now.records, changed);
    return now.records;
  }

  /** Nothing is written when `change` returns undefined. */
  async function update(
    change: (records: readonly TokenRecord[]) => readonly TokenRecord[] | undefined,
  ): Promise<void> {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const busy = () =>
      new TokenFileError("locked", `The token file ${file} is being changed by another process. Try again.`);
    await withFileLock(`${file}.lock`, world, busy, async () => {
      const changed = change(await read());
      if (changed !== undefined) await replaceFile(file, encodeTokenFile(changed));
    });
  }

  function checkRequest(request: TokenRequest): NewToken {
    const { name, principal = name, tenant = DEFAULT_TENANT, roles = ["user"], expiresAt } = request;
    if (expiresAt !== undefined && !(expiresAt > world.clock.now())) {
      throw new TokenFileError("invalid", "The token's expiry must lie in the future.");
    }
    try {
      return parseNewToken({ name, principal, tenant, roles: [...roles] });
    } catch (error) {
      throw new TokenFileError(
        "invalid",
        `The token cannot be made: ${error instanceof Error ? error.message : error}.`,
      );
    }
  }

  return {
    async create(request) {
      const checked = checkRequest(request);
      const token = mintBearerToken(world.random);
      const record: TokenRecord = {
        id: world.ids.next("tok"),
        ...checked,
        hash: hashToken(token),
        createdAt: world.clock.now(),
        ...(request.expiresAt === undefined ? {} : { expiresAt: request.expiresAt }),
      };
      await update((records) => {
        if (records.some(({ name }) => name === record.name)) {
          throw new TokenFileError(
            "name_taken",
            `There is a token named ${record.name}. Revoke it first, or choose another name.`,
          );
        }
        return [...records, record];
      });
      return { id: record.id, token };
    },

    async list() {
      return (await read()).map(listingOf);
    },

    async revoke(idOrName) {
      let revoked: TokenRecord | undefined;
      await update((records) => {
        revoked = records.find(({ id, name }) => id === idOrName || name === idOrName);
        return revoked && records.filter((record) => record !== revoked);
      });
      return revoked && listingOf(revoked);
    },

    async authenticate(token) {
      const records = await read();
      const presented = hashToken(token);
      let found: TokenRecord | undefined;
      // No early end: how long this takes tells nothing about which token was close, or where in the file it stands.
      for (const record of records) if (equalHashes(record.hash, presented)) found = record;
      if (found === undefined || (found.expiresAt !== undefined && found.expiresAt <= world.clock.now()))
        return undefined;
      return { id: found.principal, tenant: found.tenant, roles: found.roles };
    },
  };
}
