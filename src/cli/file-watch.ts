/**
 * Tells when any of some files changes. Their directories are watched, and not they: editors put a new file in the place
 * of the old one.
 */
import { type FSWatcher, watch } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Timer, Timers } from "../platform/world.ts";

/** An editor's save is several changes: they are told as one, this long after the last of them. */
const QUIET_MS = 100;

export interface FileWatch extends Disposable {
  /**
   * Watches these files from now on, and those that are added to them later in the same directories.
   * @param beside also of other files that come and go in their directories.
   */
  follow(paths: ReadonlySet<string>, beside: boolean): void;
}

/** @param failed a directory cannot be watched (any more). */
export function createFileWatch(timers: Timers, changed: () => void, failed: (error: unknown) => void): FileWatch {
  const watchers = new Map<string, FSWatcher>();
  let followed: ReadonlySet<string> = new Set();
  let tellsAll = false;
  let quiet: Timer | undefined;

  function happened(directory: string, comesOrGoes: boolean, name: string | null): void {
    // A directory that is moved or removed is told under its own name.
    const isFollowed = name === null || name === basename(directory) || followed.has(join(directory, name));
    if (!isFollowed && !(tellsAll && comesOrGoes)) return;
    quiet?.cancel();
    quiet = timers.after(QUIET_MS, changed);
  }

  /** One that is missing shows in the directory above, once it is there again. */
  function open(directory: string): void {
    if (watchers.has(directory)) return;
    try {
      const watcher = watch(directory, (event, name) => happened(directory, event === "rename", name));
      watchers.set(directory, watcher);
      watcher.on("error", (error) => {
        watcher.close();
        watchers.delete(directory);
        failed(error);
      });
    } catch (error) {
      const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT" && dirname(directory) !== directory;
      if (isMissing) open(dirname(directory));
      else failed(error);
    }
  }

  function close(): void {
    for (const watcher of watchers.values()) watcher.close();
    watchers.clear();
  }

  return {
    follow(paths, beside) {
      // Something is missing: a directory may have gone and come again, which its watcher would never hear of.
      if (beside) close();
      tellsAll = beside;
      followed = paths;
      for (const path of paths) open(dirname(path));
    },
    [Symbol.dispose]() {
      quiet?.cancel();
      close();
    },
  };
}
