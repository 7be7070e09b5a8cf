/**
 * A runtime as an application starts it, on the data directory and port that it is given. Its sessions' windows are over as
 * soon as they begin: whatever downtime there is, it is longer.
 */
import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { createRuntime, defineAgent } from "leasehold";

const LOOK_EVERY_MS = 10;

/** Leaves an artifact, talks, waits for the file `until`, and talks again; goes on after a restart. */
const recorder = defineAgent({
  name: "recorder",
  version: "1.0.0",
  restart: "always",
  async run(ctx, input) {
    const { until, content, lines } = input as { until: string; content: string; lines: number };
    const artifact = await ctx.step("artifact", () =>
      ctx.artifact({ name: "record.txt", contentType: "text/plain", data: content }),
    );
    for (let line = 0; line < lines; line++) await ctx.log(`line ${line} of attempt ${ctx.attempt}`);
    await ctx.status("waiting");
    while (!existsSync(until)) await delay(LOOK_EVERY_MS, undefined, { signal: ctx.signal });
    return { attempt: ctx.attempt, uri: artifact.uri };
  },
});

const [data = "", port = "0"] = process.argv.slice(2);
const runtime = await createRuntime({ agents: [recorder], data, resumeWindowSec: 0 });
const { url } = await runtime.listen({ port: Number(port) });
process.stdout.write(`${JSON.stringify({ url })}\n`);
