/** What a runtime would find on this machine: Node, the data directory and what is in it, the disk, the port. */
import { constants } from "node:fs";
import { access, stat, statfs } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { createTokens, TOKEN_FILE } from "../../identity/token-file.ts";
import type { World } from "../../platform/world.ts";
import { bytesText, type Finding, findingsOf, messageOf } from "./finding.ts";

/** As in `engines` of package.json. */
const LEAST_NODE = 24;
/** Below, a busy runtime may fill the disk within the day; it then refuses jobs. */
const LITTLE_SPACE = 1_073_741_824;
/** Below, there may be no room for the next commits. */
const NO_SPACE = 67_108_864;
/** Anything for group or others. */
const SHARED = 0o077;

export function checkNode(version: string): Finding {
  const node = findingsOf("node");
  return Number.parseInt(version, 10) >= LEAST_NODE
    ? node.ok(version)
    : node.fail(`${version} is too old`, `install Node ${LEAST_NODE} or newer`);
}

/** The directory itself, its disk, its database and its tokens; only what there is. */
export async function checkData(directory: string, world: World): Promise<Finding[]> {
  const data = findingsOf("data directory");
  const found = await stat(directory).catch(() => undefined);
  if (found === undefined) {
    const message = `${directory} is not there yet; the first start makes it`;
    return [data.skip(message), await checkDisk(dirname(directory))];
  }
  if (!found.isDirectory()) return [data.fail(`${directory} is no directory`, "name another one with --data")];
  const writable = await access(directory, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!writable) {
    return [data.fail(`${directory} cannot be written by this user`, "give it to the user that runs the runtime")];
  }
  const shared = (found.mode & SHARED) !== 0 && process.platform !== "win32";
  const mode = (found.mode & 0o777).toString(8);
  return [
    shared
      ? data.warn(`${directory} is open to other users (mode ${mode})`, `run chmod 700 ${directory}`)
      : data.ok(`${directory} (mode ${mode})`),
    await checkDisk(directory),
    await checkStore(directory),
    await checkTokens(directory, world),
  ];
}

async function checkDisk(directory: string): Promise<Finding> {
  const disk = findingsOf("disk");
  try {
    const { bavail, bsize } = await statfs(directory);
    const free = bavail * bsize;
    const message = `${bytesText(free)} free`;
    if (free < NO_SPACE) return disk.fail(message, "make room: a runtime on a full disk refuses jobs");
    return free < LITTLE_SPACE
      ? disk.warn(message, "make room, or shorten the retention of history")
      : disk.ok(message);
  } catch (error) {
    return disk.skip(`the space left cannot be read (${messageOf(error)})`);
  }
}

async function checkStore(directory: string): Promise<Finding> {
  const store = findingsOf("store");
  const { inspectStore } = await import("../../stores/sqlite/inspect.ts");
  try {
    const look = inspectStore(directory);
    if (look.state === "absent") return store.skip("there is no database yet");
    if (look.state === "held") return store.ok(look.message.replace(/^.* is (in use by [^:]+): .*$/s, "$1"));
    const { bytes, checked, problems, schema } = look;
    if (schema.found > schema.known) {
      const message = `its schema is of version ${schema.found}, and this leasehold knows ${schema.known}`;
      return store.fail(message, "use the newer leasehold that wrote it");
    }
    if (problems.length > 0) {
      return store.fail(`the database is damaged: ${problems.join("; ")}`, "restore it from a backup");
    }
    const upgrade = schema.found < schema.known ? "; the next start upgrades it" : "";
    return store.ok(`${bytesText(bytes)}, ${checked ? "whole" : "too large to be read through"}, not in use${upgrade}`);
  } catch (error) {
    return store.fail(messageOf(error), "check its files and who owns them, or restore them from a backup");
  }
}

async function checkTokens(directory: string, world: World): Promise<Finding> {
  const tokens = findingsOf("tokens");
  const file = join(directory, TOKEN_FILE);
  try {
    const listed = await createTokens(file, world).list();
    const now = world.clock.now();
    const valid = listed.filter(({ expiresAt = Number.POSITIVE_INFINITY }) => expiresAt > now).length;
    const count = `${valid} valid, ${listed.length - valid} expired`;
    if (valid === 0) {
      return tokens.warn(`nobody can connect to \`leasehold serve\` by a token of it (${count})`, MAKE_TOKEN);
    }
    const mode = (await stat(file)).mode & 0o777;
    return (mode & SHARED) !== 0 && process.platform !== "win32"
      ? tokens.warn(`${file} is open to other users (mode ${mode.toString(8)})`, `run chmod 600 ${file}`)
      : tokens.ok(count);
  } catch (error) {
    return tokens.fail(messageOf(error), "correct the file, or make it anew with `leasehold token create`");
  }
}

const MAKE_TOKEN = "make one with `leasehold token create <name>`";

/** Whether a runtime could listen there, or already does. */
export async function checkPort(host: string, port: number, signal: AbortSignal): Promise<Finding> {
  const listening = findingsOf("port");
  const where = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const failure = await tryListening(host, port);
  if (failure === undefined) return listening.ok(`${where} is free`);
  if (failure.code === "EADDRINUSE") {
    if (await isRuntime(where, signal)) return listening.ok(`a runtime answers at ${where}`);
    const message = `${where} is taken, and what is there does not answer as a runtime without TLS does`;
    return listening.warn(message, "unless it is a runtime with TLS, stop it or choose another --port");
  }
  if (failure.code === "EACCES") {
    return listening.fail(`this user may not listen on ${where}`, "choose a port from 1024 on");
  }
  return listening.fail(
    `nobody can listen on ${where} (${failure.code ?? failure.message})`,
    "check --host and --port",
  );
}

function tryListening(host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", resolve);
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

async function isRuntime(where: string, signal: AbortSignal): Promise<boolean> {
  const answer = await fetch(`http://${where}/healthz`, { signal, redirect: "manual" }).catch(() => undefined);
  const body: unknown = await answer?.json().catch(() => undefined);
  return typeof body === "object" && body !== null && "status" in body && body.status === "ok";
}
