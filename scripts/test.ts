/**
 * `npm test`: every check, two at a time, then every test. All of it runs whatever fails. Ends with the one line
 * `N passed, N failed`, and with code 1 when anything failed. Arguments go to vitest: `npm test -- src/kernel`.
 */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Check } from "./check.ts";
import { CHECKS } from "./checks.ts";
import { ROOT } from "./repository.ts";
import { addTallies, formatTally, type Tally, tallyTests, type VitestReport } from "./tally.ts";

const LANES = 2;
const REPORT = join(ROOT, "node_modules/.cache/leasehold/tests.json");

async function runChecks(): Promise<Tally> {
  console.log("── checks");
  const waiting = [...CHECKS];
  const tallies: Tally[] = [];
  const lane = async (): Promise<void> => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      tallies.push(await runCheck(check));
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return addTallies(tallies);
}

async function runCheck({ title, run }: Check): Promise<Tally> {
  const started = performance.now();
  const problems = await run().catch((error: unknown) =>
    error instanceof Error ? (error.stack ?? "") : String(error),
  );
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${problems === "" ? "ok  " : "FAIL"}  ${title} (${seconds} s)`);
  if (problems === "") return { passed: 1, failed: 0 };
  console.log(problems.replaceAll(/^/gm, "      "));
  return { passed: 0, failed: 1 };
}

function runTests(args: readonly string[]): Promise<Tally> {
  console.log("── tests");
  rmSync(REPORT, { force: true });
  mkdirSync(dirname(REPORT), { recursive: true });
  const vitest = [
    join(ROOT, "node_modules/vitest/vitest.mjs"),
    "run",
    "--silent=passed-only",
    "--reporter=minimal",
    "--reporter=json",
  ];
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...vitest, `--outputFile.json=${REPORT}`, ...args], {
      cwd: ROOT,
      stdio: ["ignore", "inherit", "inherit"],
    });
    child.on("close", (code) => resolve(tallyTests(readReport(), code)));
  });
}

function readReport(): VitestReport | undefined {
  try {
    return JSON.parse(readFileSync(REPORT, "utf8")) as VitestReport;
  } catch {
    return undefined;
  }
}

const total = addTallies([await runChecks(), await runTests(process.argv.slice(2))]);
process.exitCode = total.failed === 0 ? 0 : 1;
console.log(formatTally(total));
