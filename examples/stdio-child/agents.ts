/** An agent that counts, and goes on counting where it was when its process is started again. */
import { defineAgent } from "leasehold";

const STEPS = 10;

export const counter = defineAgent({
  name: "counter",
  version: "1.0.0",
  restart: "always",
  async run(ctx) {
    // Goes to standard error, like everything an agent prints: standard output belongs to the protocol.
    console.log(`attempt ${ctx.attempt}`);
    let sum = 0;
    for (let step = 1; step <= STEPS; step++) {
      sum += await ctx.step(`step ${step}`, async () => step);
      await ctx.progress({ current: step, total: STEPS });
    }
    return sum;
  },
});
