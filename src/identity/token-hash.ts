/** Tokens are kept as hashes and compared in constant time. For bearer tokens and sessions' resume tokens alike. */
import { hash, timingSafeEqual } from "node:crypto";

/** SHA-256, 64 hex digits. A plain hash suffices because tokens are 256 random bits: there is nothing to guess. */
export function hashToken(token: string): string {
  return hash("sha256", token, "hex");
}

/** Whether two results of `hashToken` are the same; the time taken does not tell where they differ. */
export function equalHashes(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
