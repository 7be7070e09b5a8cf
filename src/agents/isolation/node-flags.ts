/** The command line of an agent's process. */
import { CodedError } from "../../protocol/errors.ts";

/** Flags of the runtime's own Node that say how modules are found: the agent's process must find the same ones. */
const MODULE_FLAG =
  /^(?:-C|--conditions|--preserve-symlinks|--experimental-transform-types|--enable-source-maps)(?:$|=)/;
/** These take a value, which may stand by itself. */
const WITH_VALUE: readonly string[] = ["-C", "--conditions"];
/** What a job may reach over a network for. */
const NETWORK_NAMESPACES = /^(?:net\.fetch|model\.use|tool\.call|x-.*)$/;

export interface NodeFlagOptions {
  readonly memoryMb: number;
  /** Paths as `--allow-fs-read` takes them. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** Of the lease. */
  readonly namespaces: readonly string[];
}

/**
 * Without child processes, threads, addons, WASI, inspector, and with no file but those given.
 * @throws CodedError INTERNAL_ERROR where this Node cannot confine what it has to.
 */
export function nodeFlags({ memoryMb, reads, writes, namespaces }: NodeFlagOptions): readonly string[] {
  const { allowedNodeEnvironmentFlags: known } = process;
  // Its databases are opened past the permission model: the module must not be there at all.
  if (!known.has("--permission") || !known.has("--no-experimental-sqlite")) {
    throw new CodedError(
      "INTERNAL_ERROR",
      `Node ${process.version} cannot confine an isolated agent: it lacks --permission or --no-experimental-sqlite`,
      { retryable: false },
    );
  }
  return [
    "--permission",
    "--no-experimental-sqlite",
    ...(known.has("--disable-sigusr1") ? ["--disable-sigusr1"] : []),
    ...(known.has("--allow-net") && needsNetwork(namespaces) ? ["--allow-net"] : []),
    `--max-old-space-size=${memoryMb}`,
    ...moduleFlags(process.execArgv),
    ...reads.map((path) => `--allow-fs-read=${path}`),
    ...writes.map((path) => `--allow-fs-write=${path}`),
  ];
}

/** Whether the process of a job with these in its lease has a network at all. */
export function needsNetwork(namespaces: readonly string[]): boolean {
  return namespaces.some((namespace) => NETWORK_NAMESPACES.test(namespace));
}

function moduleFlags(flags: readonly string[]): readonly string[] {
  return flags.flatMap((flag, index) => {
    if (!MODULE_FLAG.test(flag)) return [];
    const value = flags[index + 1];
    return WITH_VALUE.includes(flag) && value !== undefined ? [flag, value] : [flag];
  });
}
