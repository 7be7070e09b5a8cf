/** One `leasehold dev` for a directory: the second would take `dev.json` from the first, and both their clients' way. */
import { CliError } from "./cli-error.ts";
import { readDevFile } from "./dev-file.ts";
import type { CliIo } from "./io.ts";

/** How long the other runtime has to answer that it is there. */
const ANSWER_MS = 2_000;

/** @throws CliError ALREADY_RUNNING when the runtime that `dev.json` tells of still answers. */
export async function refuseSecond(io: CliIo): Promise<void> {
  const other = await readDevFile(io.cwd);
  if (other === undefined || !io.isAlive(other.pid) || !(await answers(other.url, io))) return;
  throw new CliError("ALREADY_RUNNING", `process ${other.pid} serves this directory already, at ${other.url}`, {
    remedy: "use that one (`leasehold jobs` finds it), or stop it first",
  });
}

/** Its pid may be another process's by now. */
async function answers(url: string, { world }: CliIo): Promise<boolean> {
  if (!URL.canParse(url)) return false;
  const patience = new AbortController();
  const timer = world.timers.after(ANSWER_MS, () => patience.abort());
  try {
    const { body } = await fetch(new URL("/healthz", url.replace(/^ws/, "http")), { signal: patience.signal });
    await body?.cancel();
    return true;
  } catch {
    return false;
  } finally {
    timer.cancel();
  }
}
