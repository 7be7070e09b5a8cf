/** Which contents a sweep must spare whatever the store says: their row may be on its way. */

/** How many digests a sweep asks the store for at a time. */
export const DIGESTS_AT_ONCE = 10_000;

interface Pins {
  /** Spares the content until the returned function is called. */
  pin(sha256: string): () => void;
  /** True for what is pinned, or was at any time of the sweep: its row may be younger than the sweep's look at the store. */
  spares(sha256: string): boolean;
  /** Runs one sweep; a second one waits for the first. */
  duringSweep<Result>(sweep: () => Promise<Result>): Promise<Result>;
}

export function createPins(): Pins {
  const counts = new Map<string, number>();
  /** Pinned since the sweep under way began. */
  let spared: Set<string> | undefined;
  let last: Promise<unknown> = Promise.resolve();

  return {
    pin(sha256) {
      counts.set(sha256, (counts.get(sha256) ?? 0) + 1);
      spared?.add(sha256);
      let pinned = true;
      return () => {
        if (!pinned) return;
        pinned = false;
        const left = (counts.get(sha256) ?? 1) - 1;
        if (left === 0) counts.delete(sha256);
        else counts.set(sha256, left);
      };
    },
    spares: (sha256) => counts.has(sha256) || spared?.has(sha256) === true,
    duringSweep(sweep) {
      const swept = last.then(async () => {
        spared = new Set(counts.keys());
        try {
          return await sweep();
        } finally {
          spared = undefined;
        }
      });
      last = swept.catch(() => {});
      return swept;
    },
  };
}
