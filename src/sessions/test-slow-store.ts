/** For tests: a store that takes a drawn number of turns of the event loop before and after everything it does. */
import type { Store } from "../kernel/ports.ts";
import type { FakeWorld } from "../testing/fake-world.ts";

/** Reads overtake each other; commits stay in the order in which they were asked for. */
export function createSlowStore(inner: Store, world: FakeWorld, mostTurns: number): Store {
  const turns = async (): Promise<void> => {
    for (let left = world.drawInt(mostTurns + 1); left > 0; left--) {
      await new Promise<void>((resolve) => world.timers.soon(resolve));
    }
  };
  let lastCommit: Promise<unknown> = Promise.resolve();

  return new Proxy(inner, {
    get(target, name: keyof Store) {
      const method = target[name];
      if (name === "onWake" || name === "close") return method.bind(target);
      const slow = async (...given: unknown[]): Promise<unknown> => {
        await turns();
        const answer = await (method as (...all: unknown[]) => Promise<unknown>).apply(target, given);
        await turns();
        return answer;
      };
      if (name !== "commit") return slow;
      return (...given: unknown[]) => {
        const commit = lastCommit.then(() => slow(...given));
        lastCommit = commit.catch(() => {});
        return commit;
      };
    },
  });
}
