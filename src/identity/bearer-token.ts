/** Bearer tokens: `lh_` and 256 random bits in base64url, 46 characters. The prefix lets secret scanners find them. */
import type { Randomness } from "../platform/world.ts";

const TOKEN_BYTES = 32;

export function mintBearerToken(random: Randomness): string {
  return `lh_${Buffer.from(random.bytes(TOKEN_BYTES)).toString("base64url")}`;
}
