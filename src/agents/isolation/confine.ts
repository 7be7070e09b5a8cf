/**
 * Takes away what Node's permission model leaves to a process: signals to others, above all to the runtime, which one of
 * them would make open a debugger; other processes' priorities; other users' rights; flags of the engine; Unix sockets, which
 * are files that no grant is asked for; and the working directory, by whose change a path means another place between the
 * check and the call. To be called before any code of an agent is loaded.
 */
import childProcess from "node:child_process";
import { syncBuiltinESMExports } from "node:module";
import type net from "node:net";
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
  "chdir",
  "setuid",
  "seteuid",
  "setgid",
  "setegid",
  "setgroups",
  "initgroups",
];

/** Of the handle below sockets of Unix, which `server._handle` gives away. */
const REMOVED_FROM_PIPES = ["bind", "connect", "listen", "fchmod"];

/** @param pipe a socket that has its handle. */
export function confine(pipe: net.Socket): void {
  for (const name of REMOVED_FROM_PROCESS) if (name in process) refuse(process, name, `process.${name}`);
  refuse(os, "setPriority", "os.setPriority");
  // Node refuses to start one. The handle of one that was never started signals whatever its memory held before.
  for (const name of Object.keys(childProcess)) refuse(childProcess, name, `child_process.${name}`);
  const { _handle: handle } = pipe as unknown as { readonly _handle: object };
  for (const name of REMOVED_FROM_PIPES) refuse(Object.getPrototypeOf(handle), name, "a Unix socket");
  // Among V8's flags are ways past its own bounds.
  refuse(v8, "setFlagsFromString", "v8.setFlagsFromString");
  // What `import { kill } from "node:process"` gives is a copy.
  syncBuiltinESMExports();
}

function refuse(target: object, name: string, shown: string): void {
  // A function, not an arrow: `new` of it is refused in the same words.
  const value = function refused(): never {
    throw Object.assign(new Error(`${shown} is not for agents in a process of their own`), {
      code: "ERR_ACCESS_DENIED",
    });
  };
  Object.defineProperty(target, name, { value, writable: false, configurable: false, enumerable: true });
}
