/** Runs every measurement, in its small size, against the scripted runtime and the real bare server. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Bench, startBareServer } from "./bench.ts";
import { MEASUREMENTS } from "./measurements.ts";
import { startScriptedRuntime } from "./scripted-runtime.ts";

const root = resolve(import.meta.dirname, "..");
let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "leasehold-bench-"));
});
afterAll(() => rm(scratch, { recursive: true }));

test.each(MEASUREMENTS.map((measurement) => [measurement.name, measurement] as const))(
  "%s yields a figure for each round",
  async (_, measurement) => {
    const bench: Bench = {
      rounds: 2,
      size: (_full, quick) => quick,
      scratch,
      startRuntime: () => startScriptedRuntime(),
      startBare: (options) => startBareServer(root, options),
    };
    const { rows } = await measurement.run(bench);
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) {
      for (const figures of [row.leasehold, row.bare ?? row.leasehold]) {
        expect(figures, row.what).toHaveLength(2);
        expect(figures.every(Number.isFinite), row.what).toBe(true);
      }
    }
    expect(new Set(rows.map((row) => row.what)).size).toBe(rows.length);
  },
  30_000,
);
