/** Counts what passed and what failed. */

export interface Tally {
  readonly passed: number;
  readonly failed: number;
}

/** What we read of the report that `vitest --reporter=json` writes. */
export interface VitestReport {
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

export function addTallies(tallies: readonly Tally[]): Tally {
  return {
    passed: tallies.reduce((sum, { passed }) => sum + passed, 0),
    failed: tallies.reduce((sum, { failed }) => sum + failed, 0),
  };
}

/**
 * Counts tests. A test that did not run (skipped, or to do) has failed, and so has a file that could not be loaded. A
 * run that failed in no test (an unhandled error, a crash, no report at all) is one failure.
 */
export function tallyTests(report: VitestReport | undefined, exitCode: number | null): Tally {
  const files = report?.testResults ?? [];
  const tests = files.flatMap((file) => file.assertionResults);
  const passed = tests.filter(({ status }) => status === "passed").length;
  const unloaded = files.filter(
    ({ status, assertionResults }) =>
      assertionResults.length === 0 ||
      (status === "failed" && assertionResults.every((test) => test.status === "passed")),
  ).length;
  const failed = tests.length - passed + unloaded;
  return { passed, failed: failed === 0 && (exitCode !== 0 || passed === 0) ? 1 : failed };
}

/** The last line of `npm test`. */
export function formatTally({ passed, failed }: Tally): string {
  return `${passed} passed, ${failed} failed`;
}
