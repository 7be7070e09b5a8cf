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
  for (const name of REMOVED_FROM_PIPES) refuseHandle(Object.getPrototypeOf(handle), name);
  // Among V8's flags are ways past its own bounds.
  refuse(v8, "setFlagsFromString", "v8.setFlagsFromString");
  // What `import { kill } from "node:process"` gives is a copy.
  syncBuiltinESMExports();
}

/** Of what a handle's prototype has: from now on it fails as if the system had refused it, which whoever uses it expects. */
export function refuseHandle(methods: object, name: string): void {
  replace(methods, name, () => -os.constants.errno.EACCES);
}

export function refusal(shown: string): Error {
  return Object.assign(new Error(`${shown} is not for agents in a process of their own`), {
    code: "ERR_ACCESS_DENIED",
  });
}

/** Has every use of `target[name]` fail from now on, by Node's own code too. `shown` is what it is called. */
export function refuse(target: object, name: string, shown: string): void {
  // A function, not an arrow: `new` of it is refused in the same words.
  replace(target, name, function refused(): never {
    throw refusal(shown);
  });
}

export function replace(target: object, name: string, value: unknown): void {
  // What stood here is out of reach for good. Some packages put something of theirs in its place, and fail if they cannot.
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: true });
}
