/** How an agent's definition says that it runs in a process of its own. */
import { isAbsolute } from "node:path";
import { pathToFileURL } from "node:url";

/** Limits on `memoryMb`, in MiB. Less than the least does not even hold Node and this package. */
const MEMORY_MB = { least: 128, default: 512, most: 1_048_576 } as const;

export interface IsolationSpec {
  /**
   * `"process"`: each of its jobs runs in a process of its own, with an empty environment and Node's permission model, and is
   * killed when told. Default: in the runtime's process.
   */
  readonly isolate?: "process";
  /** Of an isolated agent: the module that exports it, as `import.meta.url` has it. That process loads it by this. */
  readonly module?: string | URL;
  /**
   * Of an isolated agent: the memory its process may hold, in MiB, a whole number from 128 on. Beyond it the process is killed,
   * and the job ends with INTERNAL_ERROR and `details.limit` `memoryMb`. Default: 512.
   */
  readonly memoryMb?: number;
}

export interface Isolation {
  /** A `file:` URL. */
  readonly module: string;
  readonly memoryMb: number;
  /** False where the module is loaded by the agent's process alone, and the definition is all that is known of it. */
  readonly isLoadedHere: boolean;
}

/**
 * @returns undefined for an agent that runs in the runtime's process.
 * @throws TypeError that names the field and what would be right.
 */
export function isolationOf(agent: string, { isolate, module, memoryMb }: IsolationSpec): Isolation | undefined {
  if (isolate === undefined) {
    const stray = module !== undefined ? "module" : memoryMb !== undefined ? "memoryMb" : undefined;
    if (stray === undefined) return undefined;
    throw new TypeError(`agent ${agent}: ${stray} is for isolated agents: add isolate: "process", or leave it out`);
  }
  if (isolate !== "process") {
    throw new TypeError(`agent ${agent}: isolate is ${JSON.stringify(isolate)}: it must be "process", or be left out`);
  }
  const { least, default: memory, most } = MEMORY_MB;
  const megabytes = memoryMb ?? memory;
  if (!Number.isInteger(megabytes) || megabytes < least || megabytes > most) {
    throw new TypeError(
      `agent ${agent}: memoryMb is ${String(memoryMb)}: it must be a whole number from ${least} to ${most}`,
    );
  }
  return { module: fileUrlOf(agent, module), memoryMb: megabytes, isLoadedHere: true };
}

function fileUrlOf(agent: string, module: string | URL | undefined): string {
  const text = String(module ?? "");
  if (isAbsolute(text)) return pathToFileURL(text).href;
  if (URL.canParse(text) && new URL(text).protocol === "file:") {
    // A URL that tells loads apart (`?…`) means the same file: a new process loads it anew in any case.
    const url = new URL(text);
    url.search = "";
    url.hash = "";
    return url.href;
  }
  throw new TypeError(
    `agent ${agent}: an isolated agent is loaded anew in a process of its own: add module: import.meta.url, in the file that exports it`,
  );
}
