/**
 * Loaded into the runtime's process before it starts: at SIGUSR2 it collects its garbage and says what is left. As a last
 * resort: V8 otherwise keeps the pages that it freed for later, which says nothing of what the runtime holds.
 */
process.on("SIGUSR2", () => {
  globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
  const { heapUsed, external, rss } = process.memoryUsage();
  process.stderr.write(`${JSON.stringify({ type: "memory", live: heapUsed + external, resident: rss })}\n`);
});
