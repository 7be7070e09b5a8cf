/** Serves the agents of files as these change, for `leasehold dev`. A load that fails leaves the agents as they were. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { AgentFiles } from "../agents/agent-files.ts";
import type { AgentDefinition } from "../agents/define-agent.ts";
import type { Timers } from "../platform/world.ts";
import { createFileWatch } from "./file-watch.ts";

export interface ReloadEvents {
  /** Takes the agents. What it throws is a load that failed. */
  loaded(agents: readonly AgentDefinition[]): void;
  failed(error: unknown): void;
  /** Changes are not noticed any more. */
  blind(error: unknown): void;
}

/** What the files hold: one text that is the same while they are. */
async function fingerprint(paths: Iterable<string>): Promise<string> {
  const texts = await Promise.all([...paths].toSorted().map((path) => readFile(path).catch(() => Buffer.alloc(0))));
  const hash = createHash("sha256");
  for (const text of texts) hash.update(`${text.length}\n`).update(text);
  return hash.digest("hex");
}

/** Watches from now on, until it is disposed of. Call once the files were loaded for the first time. */
export function reloadOnChange(files: AgentFiles, timers: Timers, events: ReloadEvents): Disposable {
  let newest = 0;
  let known = fingerprint(files.paths);
  let hasFailed = false;

  async function reload(): Promise<void> {
    const seen = fingerprint(files.paths);
    const isSame = (await seen) === (await known);
    // A file that a failed load missed may be there now.
    if (isSame && !hasFailed) return;
    known = seen;
    const mine = ++newest;
    try {
      const agents = await files.load();
      // A later change overtook this load, which may even have stood still.
      if (mine !== newest) return;
      events.loaded(agents);
      hasFailed = false;
    } catch (error) {
      if (mine !== newest) return;
      hasFailed = true;
      events.failed(error);
    }
    known = fingerprint(files.paths);
    changes.follow(files.paths, hasFailed);
  }

  const changes = createFileWatch(timers, () => void reload(), events.blind);
  changes.follow(files.paths, false);
  return {
    [Symbol.dispose]() {
      newest = Number.POSITIVE_INFINITY;
      changes[Symbol.dispose]();
    },
  };
}
