/** Loaded into the runtime's process before it starts: at SIGUSR2 it collects its garbage and says what is left. */
process.on("SIGUSR2", () => {
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  process.stderr.write(`${JSON.stringify({ type: "memory", live: heapUsed + external, resident: rss })}\n`);
});
