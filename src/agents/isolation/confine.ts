/**
 * Takes away what Node's permission model leaves to a process: signals to others, above all to the runtime, which one of
 * them would make open a debugger; other processes' priorities; other users' rights; flags of the engine. To be called before any code of an
 * agent is loaded.
 */
import { syncBuiltinESMExports } from "node:module";
import os from "node:os";
import v8 from "node:v8";

/** Of `process`. Those that the permission model refuses as well stand here in case a later Node does not. */
const REMOVED_FROM_PROCESS = [
  "kill",
  "_kill",
  "_debugProcess",
  "_debugEnd",
  "binding",
  "_linkedBinding",
  "dlopen",
  "execve",
  "setuid",
  "seteuid",
  "setgid",
  "setegid",
  "setgroups",
  "initgroups",
];

export function confine(): void {
  for (const name of REMOVED_FROM_PROCESS) if (name in process) refuse(process, name, `process.${name}`);
  refuse(os, "setPriority", "os.setPriority");
  // Among V8's flags are ways past its own bounds.
  refuse(v8, "setFlagsFromString", "v8.setFlagsFromString");
  // What `import { kill } from "node:process"` gives is a copy.
  syncBuiltinESMExports();
}

function refuse(target: object, name: string, shown: string): void {
  const value = (): never => {
    throw Object.assign(new Error(`${shown} is not for agents in a process of their own`), {
      code: "ERR_ACCESS_DENIED",
    });
  };
  Object.defineProperty(target, name, { value, writable: false, configurable: false, enumerable: true });
}
