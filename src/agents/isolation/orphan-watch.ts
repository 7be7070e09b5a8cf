/**
 * Makes sure that no agent's process outlives its runtime, even one that is stuck in a loop and cannot see its pipe close. A
 * small shell reads which processes there are; when the runtime is gone, however it went, that input ends, and it kills them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Log } from "../../platform/log.ts";

/** `+ pid` and `- pid`, one a line, until the end; then whatever is left is killed. */
const SCRIPT = `trap '' HUP INT TERM QUIT
left=' '
while read -r change pid; do
  case $change in
    +) left="$left$pid " ;;
    -) left="\${left%% $pid *} \${left#* $pid }" ;;
  esac
done
for pid in $left; do kill -9 "$pid"; done`;

export interface OrphanWatch {
  /** Returns how to say that the process has ended. */
  watch(pid: number): () => void;
}

export function createOrphanWatch(log: Log): OrphanWatch {
  const alive = new Set<number>();
  let watcher: ChildProcess | undefined;
  let isWarned = false;

  function tell(change: "+" | "-", pid: number): void {
    watcher?.stdin?.write(`${change} ${pid}\n`);
  }

  function begin(): void {
    // Of a session of its own: what a terminal sends to the runtime's group is not for it.
    const child = spawn("/bin/sh", ["-c", SCRIPT], { env: {}, stdio: ["pipe", "ignore", "ignore"], detached: true });
    watcher = child;
    child.unref();
    (child.stdin as unknown as { unref(): void }).unref();
    child.stdin?.on("error", () => {});
    child.on("error", (error) => {
      watcher = undefined;
      if (!isWarned)
        log.warn(
          { err: error },
          "isolated agents may outlive a runtime that is killed: there is no /bin/sh to watch them",
        );
      isWarned = true;
    });
    // Somebody ended it: the next process that starts brings another one, which hears of all.
    child.on("exit", () => {
      if (watcher === child) watcher = undefined;
    });
  }

  return {
    watch(pid) {
      alive.add(pid);
      if (watcher === undefined && !isWarned) {
        begin();
        for (const each of alive) tell("+", each);
      } else {
        tell("+", pid);
      }
      return () => {
        alive.delete(pid);
        tell("-", pid);
        if (alive.size > 0) return;
        watcher?.stdin?.end();
        watcher = undefined;
      };
    },
  };
}
