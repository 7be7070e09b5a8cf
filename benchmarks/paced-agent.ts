/** Emits events at an even rate, each with the time it was emitted, for the latency measurement. */
import { defineAgent } from "leasehold";
import { atPace, callsOf, type Pace } from "./pace.ts";
import { monotonicMicroseconds, SENT_MARK } from "./pushed-frames.ts";

export const paced = defineAgent({
  name: "paced",
  version: "1.0.0",
  async run(ctx, input) {
    const pace = input as Pace;
    await atPace(pace, () => ctx.log(`${SENT_MARK}${monotonicMicroseconds()}`), ctx.signal);
    return { emitted: callsOf(pace) };
  },
});
