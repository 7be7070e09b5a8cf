/**
 * Where a page of a listing ended, as text for the caller: sealed, since a place among all that is kept would tell how
 * much of it there is, and bound to its listing. The key is the process's own: a cursor does not outlive it.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import type { Randomness } from "../platform/world.ts";
import { invalidField } from "./api-error.ts";

const CIPHER = "aes-128-gcm";
const KEY_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface PageCursors {
  /** @param listing what the cursor is good for: the listing's name, who asks and for what. */
  seal(place: string, listing: string): string;
  /** @throws CodedError INVALID_REQUEST when the text is no cursor of this listing. */
  open(text: string, listing: string): string;
}

export function createPageCursors(random: Randomness): PageCursors {
  const key = random.bytes(KEY_BYTES);

  return {
    seal(place, listing) {
      const nonce = random.bytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(listing));
      const sealed = Buffer.concat([cipher.update(place), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64url");
    },
    open(text, listing) {
      const bytes = Buffer.from(text, "base64url");
      try {
        const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
          .setAAD(Buffer.from(listing))
          .setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
        return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString();
      } catch {
        throw invalidField("query.cursor", "is not of this listing, or from before a restart: leave it out");
      }
    },
  };
}
