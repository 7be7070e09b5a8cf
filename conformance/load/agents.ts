/** The agent of the load run: as chatty as the runtime lets it be. */
import { defineAgent } from "leasehold";

/** Under `maxLogBytes` by far, however long the run is. */
const MOST_EVENTS = 4_000_000;

/** Emits small events for so many seconds, and returns how many those were. */
export const flood = defineAgent({
  name: "flood",
  version: "1.0.0",
  async run(ctx, input) {
    const { seconds } = input as { seconds: number };
    const endsAt = performance.now() + seconds * 1_000;
    let emitted = 0;
    while (emitted < MOST_EVENTS && performance.now() < endsAt) {
      emitted++;
      if (emitted % 2 === 0) await ctx.log(`line ${emitted} of a flood`);
      else await ctx.metric({ name: "flood.events", value: emitted, unit: "events" });
    }
    return { emitted };
  },
});
