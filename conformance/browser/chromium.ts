/** A Chromium to test with: one that is installed, or, in CI on Debian, one that can be. */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome"];
/** The Debian package that is smallest and does. */
const PACKAGE = "chromium-headless-shell";
const APT = "/usr/bin/apt-get";

/** The path in `LEASEHOLD_CHROMIUM`, or of the first known name on the PATH. */
export function findChromium(): string | undefined {
  const named = process.env.LEASEHOLD_CHROMIUM;
  if (named !== undefined && named !== "") return named;
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/bin"];
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

/** Whether this is a machine on which a test may install a browser: CI, as root, with apt. */
export function mayInstall(): boolean {
  return process.env.CI !== undefined && process.getuid?.() === 0 && isExecutable(APT);
}

/** @throws Error with what apt said when it fails. */
export function installChromium(): void {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [
    ["update", "-qq"],
    ["install", "-qq", "--yes", "--no-install-recommends", PACKAGE],
  ]) {
    const { status, stderr, error } = spawnSync(APT, args, { env, encoding: "utf8" });
    if (status !== 0) throw new Error(`${APT} ${args.join(" ")} failed: ${error?.message ?? stderr}`);
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
