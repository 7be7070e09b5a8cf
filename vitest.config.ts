/** Where tests are, and how they run: forked processes, two at a time, so that a lock or a crash stays in its file. */
import { defineConfig } from "vitest/config";

/** Makes `leasehold` and its subpaths lead to the sources instead of to `dist/`. */
const SOURCE = "leasehold-source";

export default defineConfig({
  resolve: { conditions: [SOURCE] },
  ssr: { resolve: { conditions: [SOURCE], externalConditions: [SOURCE] } },
  test: {
    include: ["{src,conformance,scripts,examples,benchmarks}/**/*.test.ts"],
    setupFiles: ["scripts/property-seed.ts"],
    pool: "forks",
    execArgv: [`--conditions=${SOURCE}`],
    maxWorkers: 2,
    /** A hang fails; a slow machine does not. */
    testTimeout: 60_000,
    hookTimeout: 60_000,
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
  },
});
