/** `npm run browser-test`: the client in a page of Chromium, against a real runtime. Ends with `N passed, N failed`. */
import { chromium, type Page } from "playwright-core";
import { addTallies, formatTally, type Tally } from "../../scripts/tally.ts";
import { findChromium, installChromium, mayInstall } from "./chromium.ts";
import { servePage } from "./page-server.ts";
import { SCENARIOS, type Stage } from "./scenarios.ts";
import { createStage } from "./stage.ts";

/** No scenario takes longer unless something hangs. */
const PATIENCE_MS = 90_000;

const PASSED: Tally = { passed: 1, failed: 0 };
const FAILED: Tally = { passed: 0, failed: 1 };

function executable(): string {
  const found = findChromium();
  if (found !== undefined) return found;
  if (mayInstall()) {
    console.log("no Chromium is installed: installing it with apt-get …");
    installChromium();
    const installed = findChromium();
    if (installed !== undefined) return installed;
  }
  throw new Error(
    "there is no Chromium on this machine: install one (on Debian: apt-get install chromium-headless-shell), or name one in LEASEHOLD_CHROMIUM",
  );
}

async function runInPage(page: Page, name: string, { url, token }: Stage): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, `it did not end within ${PATIENCE_MS} ms`);
  });
  const run = page.evaluate(
    ([scenario, where]) =>
      (globalThis as unknown as { runScenario(name: string, where: object): Promise<string | undefined> }).runScenario(
        scenario,
        where,
      ),
    [name, { url, token }] as const,
  );
  return Promise.race([run, late]).finally(() => clearTimeout(timer));
}

function tell(name: string, problem: string | undefined, startedAt: number): Tally {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${problem === undefined ? "ok  " : "FAIL"}  ${name} (${seconds} s)`);
  if (problem === undefined) return PASSED;
  console.log(problem.replaceAll(/^/gm, "      "));
  return FAILED;
}

async function runAll(): Promise<Tally> {
  const executablePath = executable();
  await using stage = await createStage();
  await using server = await servePage();
  // Chromium's sandbox needs rights that containers, and root, do not have; the page is our own.
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  try {
    console.log(`── ${executablePath}, version ${browser.version()}`);
    const page = await browser.newPage();
    /** What a page shows in its console when nobody caught it, or its policy was broken. */
    const troubles: string[] = [];
    page.on("pageerror", (error) => void troubles.push(`uncaught: ${error.message}`));
    page.on("console", (message) => {
      // A connection that cannot be made is what some scenarios are about, and browsers always tell.
      if (message.type() === "error" && !message.text().startsWith("WebSocket connection to")) {
        troubles.push(message.text());
      }
    });
    for (const name of ["cut", "setReachable", "restart"] as const) {
      await page.exposeFunction(name, (argument: boolean) => stage[name](argument));
    }
    await page.goto(server.url, { waitUntil: "load" });
    await page.waitForFunction(() => "runScenario" in globalThis);

    const tallies: Tally[] = [];
    for (const name of Object.keys(SCENARIOS)) {
      const startedAt = performance.now();
      tallies.push(tell(name, await runInPage(page, name, stage), startedAt));
    }
    const quiet = troubles.length === 0 ? undefined : troubles.join("\n");
    tallies.push(tell("leaves nothing uncaught, and makes no code from text", quiet, performance.now()));
    return addTallies(tallies);
  } finally {
    await browser.close();
  }
}

const total = await runAll().catch((error: unknown) => {
  console.log(error instanceof Error ? error.message : String(error));
  return FAILED;
});
process.exitCode = total.failed === 0 ? 0 : 1;
console.log(formatTally(total));
