/** Chance that follows from a name: whoever draws by the same name gets the same, whatever else happens in a run. */
import { createFakeWorld } from "../../src/testing/fake-world.ts";

export interface Draw {
  /** A whole number from 0 to `below` − 1. */
  int(below: number): number;
  chance(probability: number): boolean;
  pick<Item>(items: readonly [Item, ...Item[]]): Item;
}

export function drawBy(name: string): Draw {
  const world = createFakeWorld({ seed: hashOf(name) });
  const int = (below: number): number => world.drawInt(below);
  return {
    int,
    chance: (probability) => world.draw() < probability,
    pick: (items) => items[int(items.length)] ?? items[0],
  };
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
