/** Serves the agents of files as these change, for `leasehold dev`. A load that fails leaves the agents as they were. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { AgentFiles } from "../agents/agent-files.ts";
import type { AgentDefinition } from "../agents/define-agent.ts";
import type { Timer, Timers } from "../platform/world.ts";
import { createFileWatch } from "./file-watch.ts";

export interface ReloadEvents {
  /** Takes the agents. What it throws is a load that failed. */
  loaded(agents: readonly AgentDefinition[]): void;
  failed(error: unknown): void;
  /** Changes are not noticed any more. */
  blind(error: unknown): void;
}

/** After a load that failed, until the files are looked at once more. */
const SECOND_LOOK_MS = 200;

/** A hash of what each file holds; of nothing for one that is not there. */
async function hashes(paths: Iterable<string>): Promise<ReadonlyMap<string, string>> {
  const hashOf = async (path: string): Promise<[string, string]> => {
    const content = await readFile(path).catch(() => "");
    return [path, createHash("sha256").update(content).digest("hex")];
  };
  return new Map(await Promise.all([...paths].map(hashOf)));
}

/** Watches from now on, until it is disposed of. Call once the files were loaded for the first time. */
export function reloadOnChange(files: AgentFiles, timers: Timers, events: ReloadEvents): Disposable {
  let newest = 0;
  let known = hashes(files.paths);
  /** The message of the last failure; undefined after a load that went well. */
  let failure: string | undefined;
  let secondLook: Timer | undefined;

  async function isAsBefore(now: ReadonlyMap<string, string>): Promise<boolean> {
    const before = await known;
    return [...now].every(([path, hash]) => before.get(path) === hash);
  }

  /** @param once whether it is the second look after a failure, of which there is one only. */
  async function reload(once = false): Promise<void> {
    const now = await hashes(files.paths);
    const isSame = await isAsBefore(now);
    // A file that a failed load missed may be there now.
    if (isSame && failure === undefined) return;
    const mine = ++newest;
    let agents: readonly AgentDefinition[] = [];
    let error: unknown;
    try {
      agents = await files.load();
    } catch (thrown) {
      error = thrown ?? new Error("an agent's file threw nothing");
    }
    // A later change overtook this load, which may even have stood still.
    if (mine !== newest) return;
    // Of what the load found for the first time, what it holds by now; of the rest, what it held before the load.
    known = hashes(files.paths).then((later) => new Map([...later, ...now]));
    const message = error === undefined ? take(agents) : messageOf(error);
    if (message !== undefined && !(isSame && message === failure)) events.failed(error ?? new Error(message));
    failure = message;
    changes.follow(files.paths, failure !== undefined);
    // What came back between the load and the watch has told nobody.
    secondLook?.cancel();
    if (failure !== undefined && !once) secondLook = timers.after(SECOND_LOOK_MS, () => void reload(true));
  }

  /** Why the agents cannot be served; undefined when they are. */
  function take(agents: readonly AgentDefinition[]): string | undefined {
    try {
      events.loaded(agents);
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  const changes = createFileWatch(timers, () => void reload(), events.blind);
  changes.follow(files.paths, false);
  return {
    [Symbol.dispose]() {
      newest = Number.POSITIVE_INFINITY;
      secondLook?.cancel();
      changes[Symbol.dispose]();
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
