/** Agents for the client's scenarios: they count, write, wait, and fail. */
import { setTimeout as delay } from "node:timers/promises";
import { AgentError, defineAgent } from "leasehold";

/** Logs every number up to `to`, with a pause after each; a later attempt counts all of them again. */
const counting = defineAgent({
  name: "counting",
  version: "1.0.0",
  restart: "always",
  async run(ctx, input) {
    const { to, pauseMs } = input as { to: number; pauseMs: number };
    for (let number = 1; number <= to; number++) {
      await ctx.log(String(number));
      if (pauseMs > 0) await delay(pauseMs, undefined, { signal: ctx.signal });
    }
    return { counted: to, attempt: ctx.attempt };
  },
});

/** Streams `chunks` pieces of text that are hard on encodings. */
const writing = defineAgent({
  name: "writing",
  version: "1.0.0",
  async run(ctx, input) {
    const { chunks } = input as { chunks: number };
    const stream = ctx.streamResult();
    for (let chunk = 0; chunk < chunks; chunk++) await stream.write(`line ${chunk}: grüße, 日本 🚀\n`);
    return stream.end();
  },
});

/** Streams every byte there is. */
const bytes = defineAgent({
  name: "bytes",
  version: "1.0.0",
  async run(ctx) {
    const stream = ctx.streamResult({ encoding: "base64" });
    await stream.write(Uint8Array.from({ length: 256 }, (_, byte) => byte));
    return stream.end();
  },
});

const waiting = defineAgent({
  name: "waiting",
  version: "1.0.0",
  async run(ctx) {
    await ctx.log("begun");
    await delay(3_600_000, undefined, { signal: ctx.signal });
  },
});

const failing = defineAgent({
  name: "failing",
  version: "1.0.0",
  run() {
    throw new AgentError({ code: "PERMISSION_DENIED", message: "this agent always fails", details: { why: "test" } });
  },
});

export const agents = [counting, writing, bytes, waiting, failing] as const;
