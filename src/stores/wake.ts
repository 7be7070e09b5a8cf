/** Tells listeners, in a later microtask, that a commit wrote commands or outcomes. */
import type { CommitBatch } from "../kernel/ports.ts";

export interface Wake {
  /** Adds a listener; returns how to remove it. */
  listen(listener: () => void): () => void;
  /** To be called after each commit: wakes the listeners when the batch holds something for another node. */
  committed(batch: CommitBatch): void;
  /** Removes every listener. */
  clear(): void;
}

export function createWake(): Wake {
  const listeners = new Set<() => void>();

  function wakeAll(): void {
    for (const listener of [...listeners]) {
      try {
        listener();
      } catch {
        // A wake-up is a hint and polling is the truth: one broken listener must not cost the others theirs.
      }
    }
  }

  return {
    listen(listener) {
      // Wrapped, so that the same function added twice is two listeners.
      const entry = (): void => listener();
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
    committed({ rows }) {
      const news = (rows.commands?.length ?? 0) + (rows.commandOutcomes?.length ?? 0);
      if (news > 0 && listeners.size > 0) queueMicrotask(wakeAll);
    },
    clear: () => listeners.clear(),
  };
}
