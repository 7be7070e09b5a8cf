import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished, vi } from "vitest";
import { silentLog } from "../../platform/log.ts";
import { createOrphanWatch } from "./orphan-watch.ts";
import { isAlive } from "./test-runtime.ts";

it("leaves no process behind when its runtime is killed, be it stuck in a loop or not", async () => {
  const script = fileURLToPath(new URL("./test-doomed-runtime.ts", import.meta.url));
  const runtime = spawn(process.execPath, ["--conditions=leasehold-source", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void runtime.kill("SIGKILL"));
  const pids: number[] = [];
  for await (const line of createInterface({ input: runtime.stdout })) {
    pids.push(Number(line));
    if (pids.length === 3) break;
  }
  expect(pids.filter(isAlive)).toEqual(pids);
  runtime.kill("SIGKILL");
  await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), 10_000);
});

it("kills nothing that has ended, nor anything once the last has", async () => {
  const watch = createOrphanWatch(silentLog);
  const bystander = spawn("/bin/sleep", ["60"]);
  onTestFinished(() => void bystander.kill("SIGKILL"));
  const pid = bystander.pid as number;
  const done = watch.watch(pid);
  const other = watch.watch(pid + 1);
  done();
  other();
  // A new period, which ends with nothing left: what was watched before is forgotten.
  watch.watch(pid)();
  const exited = vi.fn();
  bystander.once("exit", exited);
  const echo = spawn("/bin/sh", ["-c", "true"]);
  await new Promise((resolve) => echo.once("exit", resolve));
  expect(exited).not.toHaveBeenCalled();
  expect(isAlive(pid)).toBe(true);
});
