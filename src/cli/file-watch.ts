/**
 * Tells when any of some files changes. Their directories are watched, and not they: editors put a new file in the place
 * of the old one.
 */
import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";
import type { Timer, Timers } from "../platform/world.ts";

/** An editor's save is several changes: they are told as one, this long after the last of them. */
const QUIET_MS = 100;

export interface FileWatch extends Disposable {
  /**
   * Watches these files from now on.
   * @param beside also of other files that come and go in their directories.
   */
  follow(paths: Iterable<string>, beside: boolean): void;
}

/** @param failed a directory cannot be watched (any more). */
export function createFileWatch(timers: Timers, changed: () => void, failed: (error: unknown) => void): FileWatch {
  const watchers = new Map<string, FSWatcher>();
  let names = new Map<string, Set<string>>();
  let tellsAll = false;
  let quiet: Timer | undefined;

  function happened(directory: string, comesOrGoes: boolean, name: string | null): void {
    const isFollowed = name === null || names.get(directory)?.has(name) === true;
    if (!isFollowed && !(tellsAll && comesOrGoes)) return;
    quiet?.cancel();
    quiet = timers.after(QUIET_MS, changed);
  }

  function open(directory: string): void {
    try {
      const watcher = watch(directory, (event, name) => happened(directory, event === "rename", name));
      watchers.set(directory, watcher);
      watcher.on("error", (error) => {
        watcher.close();
        watchers.delete(directory);
        failed(error);
      });
    } catch (error) {
      failed(error);
    }
  }

  return {
    follow(paths, beside) {
      tellsAll = beside;
      names = new Map();
      for (const path of paths) {
        const directory = dirname(path);
        const here = names.get(directory) ?? new Set();
        names.set(directory, here.add(basename(path)));
        if (!watchers.has(directory)) open(directory);
      }
    },
    [Symbol.dispose]() {
      quiet?.cancel();
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
}
