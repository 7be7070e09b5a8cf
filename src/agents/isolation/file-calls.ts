/**
 * `ctx.fs` of an isolated agent is carried out by the runtime: what a lease allows is more than Node's permission model can
 * express, and links are followed under the guard.
 */
import { cutBytes } from "../characters.ts";
import { invalid } from "../event-bodies.ts";
import type { GuardedFiles } from "../files/guarded-files.ts";
import type { HostCall } from "./host-calls.ts";
import type { RemoteHost } from "./remote-host.ts";
import { requireText, Violation } from "./violation.ts";

/** Largest content written at once, in bytes: it is held in the runtime's memory. */
const MAX_WRITTEN_BYTES = 67_108_864;
/** Bytes sent at a time. */
const PIECE_BYTES = 262_144;

/** For the runtime's side. */
export function createFileCalls(files: () => GuardedFiles): Readonly<Record<string, HostCall>> {
  const path = (value: unknown): string => requireText(value, "path");
  return {
    "fs.read": async ([at, maxBytes]) => {
      const limit = typeof maxBytes === "number" ? { maxBytes } : {};
      return Buffer.from(await files().read(path(at), limit)).toString("base64");
    },
    "fs.write": async ([at], content) => await files().write(path(at), await collect(content())),
    "fs.append": async ([at], content) => await files().append(path(at), await collect(content())),
    "fs.list": ([at]) => files().list(path(at)),
    "fs.stat": async ([at]) => (await files().stat(path(at))) ?? null,
    "fs.mkdir": ([at]) => files().mkdir(path(at)),
    "fs.remove": ([at]) => files().remove(path(at)),
  };
}

async function collect(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of content) {
    size += piece.length;
    if (size > MAX_WRITTEN_BYTES) throw new Violation(`a file of more than ${MAX_WRITTEN_BYTES} bytes at once`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces, size);
}

/** For the agent's side. */
export function createRemoteFiles(host: RemoteHost): GuardedFiles {
  const read = async (path: string, options: { readonly maxBytes?: number } = {}): Promise<Buffer> =>
    Buffer.from(await host.call<string>("fs.read", [path, options.maxBytes]), "base64");
  const put = async (tool: "fs.write" | "fs.append", path: string, data: string | Uint8Array): Promise<void> => {
    if (typeof data !== "string" && !(data instanceof Uint8Array)) {
      throw invalid(`${tool}.data`, "must be a string or a Uint8Array");
    }
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    if (bytes.length > MAX_WRITTEN_BYTES) {
      throw invalid(
        `${tool}.data`,
        `has ${bytes.length} bytes; at most ${MAX_WRITTEN_BYTES} at once in a process of its own`,
      );
    }
    await host.call(tool, [path], inPieces(bytes));
  };
  return {
    read,
    readText: async (path, options) => (await read(path, options)).toString("utf8"),
    write: (path, data) => put("fs.write", path, data),
    append: (path, data) => put("fs.append", path, data),
    list: (path) => host.call("fs.list", [path]),
    stat: async (path) =>
      (await host.call<Awaited<ReturnType<GuardedFiles["stat"]>> | null>("fs.stat", [path])) ?? undefined,
    mkdir: (path) => host.call("fs.mkdir", [path]),
    remove: (path) => host.call("fs.remove", [path]),
  };
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield* cutBytes(bytes, PIECE_BYTES);
}
