/** Contents in memory: for tests and simulations, and for runtimes that need to remember nothing. */
import { createHash } from "node:crypto";
import type { Artifacts } from "../../kernel/ports.ts";
import { createPins, DIGESTS_AT_ONCE } from "./pins.ts";

/** @param contents what is there already, by digest; changes with what is put and swept. Default: nothing. */
export function createMemoryArtifacts(contents = new Map<string, Buffer>()): Artifacts {
  const pins = createPins();

  return {
    async put(content) {
      const hash = createHash("sha256");
      const pieces: Uint8Array[] = [];
      for await (const piece of content) {
        hash.update(piece);
        pieces.push(Uint8Array.from(piece));
      }
      const bytes = Buffer.concat(pieces);
      const sha256 = hash.digest("hex");
      const release = pins.pin(sha256);
      contents.set(sha256, bytes);
      return { sha256, size: bytes.length, release };
    },
    async open(sha256, range) {
      const bytes = contents.get(sha256);
      if (bytes === undefined) return undefined;
      return pieceOf(range === undefined ? bytes : bytes.subarray(range.from, range.to + 1));
    },
    sweep: (findNamed) =>
      pins.duringSweep(async () => {
        let removed = 0;
        const digests = [...contents.keys()];
        for (let from = 0; from < digests.length; from += DIGESTS_AT_ONCE) {
          const page = digests.slice(from, from + DIGESTS_AT_ONCE);
          const named = await findNamed(page);
          for (const sha256 of page) {
            if (!named.has(sha256) && !pins.spares(sha256) && contents.delete(sha256)) removed++;
          }
        }
        return removed;
      }),
  };
}

async function* pieceOf(bytes: Buffer): AsyncGenerator<Uint8Array, void, void> {
  if (bytes.length > 0) yield Uint8Array.from(bytes);
}
