import { expect, test } from "vitest";
import { equalHashes, hashToken } from "./token-hash.ts";

test("hashToken is SHA-256 in hex", () => {
  expect(hashToken("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("equalHashes compares the whole, and survives what is no hash", () => {
  const hash = hashToken("abc");
  expect(equalHashes(hash, hashToken("abc"))).toBe(true);
  expect(equalHashes(hash, hashToken("abd"))).toBe(false);
  expect(equalHashes(hash, `${hash.slice(0, -1)}0`)).toBe(false);
  expect(equalHashes(hash, hash.slice(1))).toBe(false);
  expect(equalHashes(hash, "")).toBe(false);
  expect(equalHashes("é", "ab")).toBe(false);
});
