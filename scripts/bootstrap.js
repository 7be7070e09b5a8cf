/**
 * Runs a task of this repository on any machine that has some Node: installs exactly what package-lock.json says when
 * that is not there yet, then starts the task with the Node that came along. `npm start`, `npm test` and the others
 * all come through here. No dependency, and no syntax that Node 18 lacks. Leaves the work tree as it was.
 */
import { spawn, spawnSync } from "child_process";
import { createHash } from "crypto";
import { existsSync, readFileSync, writeFileSync } from "fs";
import { constants } from "os";
import { delimiter, dirname, join } from "path";
import { fileURLToPath } from "url";

const SOURCES = "--conditions=leasehold-source";
/** As in the first line of `bin/leasehold.js`, which says why. */
const RUNTIME = "--max-semi-space-size=4";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** What each task gives to Node; what the user adds follows. */
const TASKS = {
  start: [
    SOURCES,
    RUNTIME,
    "src/cli/main.ts",
    "dev",
    "examples/repo-report/agent.ts",
    "--run",
    "repo-report",
    "--input",
    '{"path":"."}',
    "--lease",
    `fs.read=${ROOT}/**`,
    "--lease",
    "agent.delegate=repo-report-folder",
    "--budget",
    "credits:10",
    "--no-tree",
  ],
  leasehold: [SOURCES, RUNTIME, "src/cli/main.ts"],
  test: [SOURCES, "scripts/test.ts"],
  example: [SOURCES, "examples/run.ts"],
  bench: [SOURCES, "--expose-gc", "benchmarks/run.ts"],
  simulate: [SOURCES, "conformance/simulation/simulate.ts"],
  "kill-test": [SOURCES, "conformance/kill/kill-test.ts"],
  fuzz: [SOURCES, "conformance/fuzz/fuzz.ts"],
  load: [SOURCES, "conformance/load/load.ts"],
  "browser-test": [SOURCES, "conformance/browser/browser-test.ts"],
  build: [SOURCES, "scripts/build.ts"],
  conformance: [SOURCES, "scripts/write-pages.ts"],
  format: ["node_modules/@biomejs/biome/bin/biome", "check", "--write"],
};

/** The Node that the project needs, and the oldest one that can fetch it. */
const NEEDED = 24;
const OLDEST = 18;

const MODULES = join(ROOT, "node_modules");
/** Lies in node_modules and says for which lock file that was installed; `npm ci` removes it with the rest. */
const STAMP = join(MODULES, ".leasehold-lock");

const [name, ...rest] = process.argv.slice(2);
const task = Object.hasOwn(TASKS, name ?? "") ? TASKS[name] : undefined;
if (majorOf(process.versions.node) < OLDEST) {
  fail(`Leasehold needs Node ${OLDEST} or newer to set itself up; this is ${process.version}`);
} else if (task === undefined) {
  fail(`usage: node scripts/bootstrap.js ${Object.keys(TASKS).join("|")} [arguments]`);
} else if (install()) {
  const node = findNode();
  if (node === undefined) {
    fail(
      `Leasehold needs Node ${NEEDED}, and the one it brings along is missing because npm did not run its install ` +
        "script: run `npm rebuild node --ignore-scripts=false`, then try again",
    );
  } else {
    run(node, [...task, ...rest]);
  }
}

/** Brings node_modules to what the lock file says. Returns whether it is. */
function install() {
  const lock = readFileSync(join(ROOT, "package-lock.json"), "utf8");
  const stamp = createHash("sha256").update(lock).digest("hex");
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === stamp) return true;
  if (!isInstalled(JSON.parse(lock))) {
    process.stderr.write("Installing what package-lock.json lists (once; about a minute) …\n");
    const status = npmCi();
    if (status !== 0) {
      fail("npm ci failed (its own words are above); nothing else was changed", status);
      return false;
    }
  }
  writeFileSync(STAMP, stamp);
  return true;
}

/** Whether npm itself has already installed this very lock file, as after `npm install` by hand. */
function isInstalled(lock) {
  try {
    const { packages } = JSON.parse(readFileSync(join(MODULES, ".package-lock.json"), "utf8"));
    return Object.entries(lock.packages).every(([path, { version, optional, devOptional }]) => {
      const left = packages[path] === undefined && (path === "" || optional || devOptional);
      return left || packages[path]?.version === version;
    });
  } catch {
    return false;
  }
}

/** Runs `npm ci` quietly, with the npm that started this script if there is one. Returns its exit code. */
function npmCi() {
  const npm = process.env.npm_execpath;
  const options = ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  const stdio = ["ignore", "ignore", "inherit"];
  const { status, error } = /npm-cli\.c?js$/.test(npm ?? "")
    ? spawnSync(process.execPath, [npm, ...options], { cwd: ROOT, stdio })
    : spawnSync("npm", options, { cwd: ROOT, stdio, shell: process.platform === "win32" });
  if (error !== undefined) process.stderr.write(`npm could not be started: ${error.message}\n`);
  return status ?? 1;
}

/** The project's own Node, or this one if it is new enough. */
function findNode() {
  const own = join(MODULES, "node", "bin", process.platform === "win32" ? "node.exe" : "node");
  const works = existsSync(own) && spawnSync(own, ["--version"], { stdio: "ignore" }).status === 0;
  if (works) return own;
  return majorOf(process.versions.node) >= NEEDED ? process.execPath : undefined;
}

/** Runs the task in the repository, with the project's commands first on the PATH; ends as the task ends. */
function run(node, args) {
  const path = [dirname(node), join(MODULES, ".bin"), process.env.PATH ?? ""].join(delimiter);
  const child = spawn(node, args, { cwd: ROOT, stdio: "inherit", env: { ...process.env, PATH: path } });
  // A terminal sends Ctrl-C to the task as well; passing it on would make it two, and the second means "at once".
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => fail(`${node} could not be started: ${error.message}`));
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
  });
}

function majorOf(version) {
  return Number.parseInt(version, 10);
}

function fail(message, code = 1) {
  process.stderr.write(`${message}\n`);
  process.exitCode = code;
}
