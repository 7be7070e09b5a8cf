/**
 * The keys that the gateway has minted, each an account: what it may call, what it may spend, until when. Every decision is
 * made here, in one turn and in memory, and is on the disk before anybody acts on it.
 */
import { hash } from "node:crypto";
import { type Amount, formatAmount } from "../../kernel/authority/decimal.ts";
import { compilePatterns, type PatternSet } from "../../kernel/authority/patterns.ts";
import type { World } from "../../platform/world.ts";
import type { KeyChange, KeyRequest } from "./key-request.ts";
import type { KeyRow, Ledger } from "./ledger.ts";
import { GatewayError, insufficientQuota, tryLater } from "./openai-error.ts";

/** Keys there may be, revoked ones that are still kept among them. */
const MAX_KEYS = 100_000;
/** Calls that one key may have under way at once. */
export const MAX_KEY_CALLS = 64;
/** How long a revoked key can still be looked at, and its alias cannot be taken. */
export const REVOKED_KEPT_MS = 30 * 86_400_000;
/** How often keys that were revoked that long ago are looked for, when one is made. */
const SWEEP_MS = 3_600_000;

const KEY_BYTES = 32;

/** A key as an account. `spent` and `held` move only through its reservations. */
export interface GatewayKey {
  readonly row: KeyRow;
  readonly spent: Amount;
  readonly held: Amount;
  /** Ends its calls under way. */
  readonly calls: Set<() => void>;
  allows(model: string): boolean;
}

export interface MintedKey {
  readonly key: GatewayKey;
  /** Shown this once: only its hash is kept. */
  readonly value: string;
  /** False where its alias was known. */
  readonly created: boolean;
}

export interface Reservation {
  readonly amount: Amount;
  /** Resolves once the call's cost is on the disk. Only the first call of it counts. */
  settle(cost: Amount): Promise<void>;
}

interface Account extends GatewayKey {
  row: KeyRow;
  spent: Amount;
  held: Amount;
  patterns: PatternSet;
}

export type Keys = ReturnType<typeof createKeys>;

/** @param currency of all caps, for messages. */
export function createKeys(ledger: Ledger, { clock, random, ids }: World, currency: string) {
  const byId = new Map<string, Account>();
  const byAlias = new Map<string, Account>();
  const byHash = new Map<string, Account>();
  let reservations = 0;
  let sweptAt = clock.now();

  function add(row: KeyRow, spent: Amount): Account {
    const account: Account = {
      row,
      spent,
      held: 0n,
      calls: new Set(),
      patterns: compilePatterns("model.use", row.models),
      allows: (model) => account.patterns.matches(model),
    };
    byId.set(row.id, account);
    byAlias.set(row.alias, account);
    if (row.hash !== null && row.revokedAt === null) byHash.set(row.hash, account);
    return account;
  }
  for (const { row, spent } of ledger.opened) add(row, spent);

  /** In memory first: whoever asks in this turn already sees it. */
  function replace(account: Account, row: KeyRow): Promise<void> {
    if (account.row.hash !== null) byHash.delete(account.row.hash);
    account.row = row;
    account.patterns = compilePatterns("model.use", row.models);
    if (row.hash !== null && row.revokedAt === null) byHash.set(row.hash, account);
    return ledger.writeKey(row);
  }

  function mintValue(): { readonly value: string; readonly hash: string } {
    const value = `lh_key_${Buffer.from(random.bytes(KEY_BYTES)).toString("base64url")}`;
    return { value, hash: hashOf(value) };
  }

  function requireRoom(): void {
    const now = clock.now();
    if (now - sweptAt >= SWEEP_MS || byId.size >= MAX_KEYS) {
      sweptAt = now;
      for (const { row, calls } of byId.values()) {
        if (row.revokedAt === null || row.revokedAt > now - REVOKED_KEPT_MS || calls.size > 0) continue;
        byId.delete(row.id);
        byAlias.delete(row.alias);
        // Kept a while longer where the disk fails.
        void ledger.removeKey(row.id).catch(() => {});
      }
    }
    if (byId.size >= MAX_KEYS) {
      throw new GatewayError(507, "too_many_keys", `there are ${MAX_KEYS} keys already: revoke some`);
    }
  }

  function find(idOrAlias: string): Account | undefined {
    return byId.get(idOrAlias) ?? byAlias.get(idOrAlias);
  }

  return {
    get size(): number {
      return byId.size;
    },
    find: (idOrAlias: string): GatewayKey | undefined => find(idOrAlias),

    /** In the order of their ids. */
    list(after: string, limit: number): readonly GatewayKey[] {
      return [...byId.values()]
        .filter(({ row }) => row.id > after)
        .sort((a, b) => (a.row.id < b.row.id ? -1 : 1))
        .slice(0, limit);
    },

    /** The key of this value; undefined when there is none, or it was revoked. */
    authenticate(value: string): GatewayKey | undefined {
      return byHash.get(hashOf(value));
    },

    /**
     * Mints a key. The same request again, by its alias, is the same key under a new value, and the value before stops
     * working: it is what somebody asks who has not got the answer.
     * @throws GatewayError 409 when the alias is another key's, or a revoked one's; 507 when there are too many.
     */
    async create(request: KeyRequest): Promise<MintedKey> {
      const known = byAlias.get(request.alias);
      const { value, hash: hashed } = mintValue();
      if (known !== undefined) {
        if (known.row.revokedAt !== null) throw conflict("alias_revoked", request.alias, "was revoked");
        if (known.row.request !== request.text) throw conflict("alias_in_use", request.alias, "is another key's");
        await replace(known, { ...known.row, hash: hashed });
        return { key: known, value, created: false };
      }
      requireRoom();
      const { alias, models, cap, expiresAt, metadata, text } = request;
      const id = ids.next("key");
      const made = { id, alias, hash: hashed, models, cap, expiresAt, metadata, request: text };
      const account = add({ ...made, createdAt: clock.now(), revokedAt: null }, 0n);
      await ledger.writeKey(account.row);
      return { key: account, value, created: true };
    },

    /** @throws GatewayError 404, or 409 when it was revoked. */
    async change(idOrAlias: string, change: KeyChange): Promise<GatewayKey> {
      const account = find(idOrAlias);
      if (account === undefined) throw noSuchKey(idOrAlias);
      if (account.row.revokedAt !== null) throw conflict("key_revoked", idOrAlias, "was revoked");
      await replace(account, { ...account.row, ...change });
      return account;
    },

    /**
     * Revokes a key and ends its calls. Of an alias that is not known it is remembered that it must not be given out: a
     * request for it may still be on its way. Repeating it does nothing.
     * @throws GatewayError 404 for an id that is not known.
     */
    async revoke(idOrAlias: string): Promise<GatewayKey> {
      const account = find(idOrAlias);
      const now = clock.now();
      if (account === undefined) {
        if (idOrAlias.startsWith("key_")) throw noSuchKey(idOrAlias);
        requireRoom();
        const bounds = { models: [], cap: 0n, expiresAt: null, metadata: {}, request: "" };
        const id = ids.next("key");
        const never = add({ id, alias: idOrAlias, hash: null, ...bounds, createdAt: now, revokedAt: now }, 0n);
        await ledger.writeKey(never.row);
        return never;
      }
      const row = account.row.revokedAt === null ? { ...account.row, revokedAt: now } : account.row;
      const written = replace(account, row);
      for (const end of [...account.calls]) end();
      await written;
      return account;
    },

    /** @throws GatewayError 401 when the key is revoked or has expired. */
    assertLive({ row }: GatewayKey): void {
      if (row.revokedAt !== null) throw unknownKey();
      if (row.expiresAt !== null && row.expiresAt <= clock.now()) {
        throw new GatewayError(401, "key_expired", `this key expired at ${new Date(row.expiresAt).toISOString()}`);
      }
    },

    /**
     * Sets money aside for one call; resolves once that is on the disk.
     * @throws GatewayError 401 as above, 402 when the key has too little left, 429 when other calls hold it for now.
     */
    async reserve(key: GatewayKey, amount: Amount): Promise<Reservation> {
      this.assertLive(key);
      const account = key as Account;
      const remaining = account.row.cap - account.spent;
      if (remaining <= 0n || amount > remaining) {
        const left = formatAmount(remaining < 0n ? 0n : remaining);
        throw insufficientQuota(
          `this key has ${left} ${currency} left, and this call may cost ${formatAmount(amount)} ${currency}: ` +
            "ask for fewer output tokens, send less, or have its cap raised",
        );
      }
      if (amount > remaining - account.held) {
        throw tryLater(
          429,
          "budget_held",
          "what this key has left is set aside for its calls under way: wait for them",
        );
      }
      const nth = ++reservations;
      account.held += amount;
      try {
        await ledger.reserve(nth, account.row.id, amount);
      } catch (error) {
        account.held -= amount;
        throw error;
      }
      let settled: Promise<void> | undefined;
      return {
        amount,
        settle(cost) {
          if (settled === undefined) {
            account.held -= amount;
            account.spent += cost;
            settled = ledger.settle(nth, account.row.id, account.spent);
          }
          return settled;
        },
      };
    },
  };
}

/** For a value that is no key's, or not any more. */
export function unknownKey(): GatewayError {
  return new GatewayError(401, "invalid_api_key", "this key is unknown or was revoked");
}

export function noSuchKey(idOrAlias: string): GatewayError {
  return new GatewayError(404, "key_not_found", `there is no key ${idOrAlias}`);
}

function conflict(code: string, alias: string, what: string): GatewayError {
  return new GatewayError(409, code, `${alias} ${what}: choose another alias`);
}

/** A plain hash suffices: a key is 256 random bits. */
function hashOf(value: string): string {
  return hash("sha256", value, "hex");
}
