/** Subscribers that come and go: when each comes, from where it wants the log, and how it leaves. All by the seed. */
import { setTimeout as sleep } from "node:timers/promises";
import type { FakeWorld } from "../../src/testing/fake-world.ts";
import type { LoadSession } from "./load-session.ts";

/** Of the time, how much a subscriber is there: the fewer are, the faster the flood. */
const PRESENCE = 0.25;
/** Of the subscriptions, how many ask for history, and how many lose their connection. */
const WITH_HISTORY = 0.4;
const LOSE_CONNECTION = 0.3;
/** How far back history is asked for at most, in entries for each millisecond that there is: what is replayed keeps its share. */
const BACK_PER_MS = 0.3;
/** How long a lost connection stays away. */
const LONGEST_AWAY_MS = 100;

interface Coming {
  readonly afterMs: number;
  readonly forMs: number;
  /** Entries before the head; undefined for what comes from here on. */
  readonly back: number | undefined;
  /** How long it is gone, for one that loses its connection. */
  readonly awayMs: number | undefined;
}

export interface Comings {
  subscriptions: number;
  withHistory: number;
  resumed: number;
}

/** The comings of one subscriber, which are over after `withinMs`, more or less. The last one sees the log's end. */
export function planComings(dice: FakeWorld, count: number, withinMs: number): readonly Coming[] {
  const cycleMs = withinMs / count;
  return Array.from({ length: count }, (_, index) => ({
    afterMs: dice.draw() * 2 * cycleMs * (1 - PRESENCE),
    forMs: dice.draw() * 2 * cycleMs * PRESENCE,
    back:
      dice.draw() < WITH_HISTORY || index === count - 1 ? dice.drawInt(Math.ceil(withinMs * BACK_PER_MS)) : undefined,
    awayMs: dice.draw() < LOSE_CONNECTION ? dice.drawInt(LONGEST_AWAY_MS) : undefined,
  }));
}

/** Does as planned, and stays after the last coming. @param head the last entry of the log that somebody has. */
export async function comeAndGo(
  session: LoadSession,
  { job, head, counts }: { job: string; head: () => number; counts: Comings },
  plan: readonly Coming[],
): Promise<void> {
  for (const [index, { afterMs, forMs, back, awayMs }] of plan.entries()) {
    await sleep(afterMs);
    await session.subscribe(job, back === undefined ? undefined : Math.max(0, head() - back));
    counts.subscriptions++;
    if (back !== undefined) counts.withHistory++;
    await sleep(forMs);
    if (awayMs !== undefined) {
      await session.reconnect(() => sleep(awayMs));
      counts.resumed++;
    }
    if (index < plan.length - 1) session.unsubscribe(job);
  }
}
