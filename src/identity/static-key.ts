/** An issuer's public key from a file: PEM (public key or certificate), a JWK, or a set of them. Read once, at the start. */
import { createPublicKey, type JsonWebKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { JWTVerifyGetKey } from "jose";

/** @throws Error naming the file, when it cannot be read, holds no public key, or holds one that must stay secret. */
export async function readStaticKeys(file: string): Promise<JWTVerifyGetKey> {
  const text = await readFile(file, "utf8");
  try {
    return text.trimStart().startsWith("{") ? await fromJson(text) : fromPem(text);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new Error(`${file} holds no public key of an issuer (${cause})`, { cause: error });
  }
}

/** Of its type: jose refuses it for algorithms of another, so that a public key is never taken for a shared secret. */
function fromPem(text: string): JWTVerifyGetKey {
  // Node would derive the public key from it, and the secret would lie around for nothing.
  if (text.includes("PRIVATE KEY")) throw new Error("it is a private key: give the public one");
  const key = createPublicKey(text);
  return async () => key;
}

async function fromJson(text: string): Promise<JWTVerifyGetKey> {
  const value = JSON.parse(text) as { keys?: unknown };
  const keys: unknown[] = Array.isArray(value.keys) ? value.keys : [value];
  for (const key of keys) {
    const { kty, d, k } = key as Record<string, unknown>;
    if (kty === "oct" || k !== undefined) throw new Error("it is a shared secret: only public keys are taken");
    if (d !== undefined) throw new Error("it is a private key: give the public one");
    if (typeof kty !== "string") throw new Error("a key without kty");
  }
  if (keys.length === 0) throw new Error("the set is empty");
  for (const key of keys) createPublicKey({ key: key as JsonWebKey, format: "jwk" });
  const { createLocalJWKSet } = await import("jose");
  return createLocalJWKSet({ keys: keys as object[] } as Parameters<typeof createLocalJWKSet>[0]);
}
