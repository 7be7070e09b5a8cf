/**
 * `ctx.fs` of an isolated agent is carried out by the runtime: what a lease allows is more than Node's permission model can
 * express, and links are followed under the guard.
 */
import { digestOf } from "../../kernel/job/digest.ts";
import { Turnstile } from "../../kernel/turnstile.ts";
import { CodedError } from "../../protocol/errors.ts";
import { asks, type WhenDenied } from "../ask-people.ts";
import { cutBytes } from "../characters.ts";
import { invalid } from "../event-bodies.ts";
import { DEFAULT_MAX_READ_BYTES, type GuardedFiles, type ReadOptions, writtenExactly } from "../files/guarded-files.ts";
import { collect } from "./content.ts";
import type { HostCall } from "./host-calls.ts";
import { MAX_SENT_BYTES, PIECE_BYTES } from "./messages.ts";
import type { RemoteHost } from "./remote-host.ts";
import { requireText } from "./violation.ts";

/** Largest content written at once, in bytes: it is held in the runtime's memory. */
const MAX_WRITTEN_BYTES = 67_108_864;

/** For the runtime's side. */
export function createFileCalls(files: () => GuardedFiles): Readonly<Record<string, HostCall>> {
  const path = (value: unknown): string => requireText(value, "path");
  /** What is held in memory whole goes one by one. */
  const large = new Turnstile(1);
  return {
    "fs.read": ([at, maxBytes], _content, send) =>
      large.run(async () => {
        const limit = Math.min(typeof maxBytes === "number" ? maxBytes : DEFAULT_MAX_READ_BYTES, MAX_SENT_BYTES);
        await send(await files().read(path(at), { maxBytes: limit }));
      }),
    "fs.write": ([at], content) =>
      large.run(async () => files().write(path(at), await collect(content(), MAX_WRITTEN_BYTES))),
    "fs.append": ([at], content) =>
      large.run(async () => files().append(path(at), await collect(content(), MAX_WRITTEN_BYTES))),
    "fs.list": ([at]) => large.run(async () => files().list(path(at))),
    "fs.stat": async ([at]) => (await files().stat(path(at))) ?? null,
    "fs.mkdir": ([at]) => files().mkdir(path(at)),
    "fs.remove": ([at]) => files().remove(path(at)),
  };
}

/**
 * For the agent's side. Where people are to be asked, this side does, after a refusal: the runtime's would be held up by it.
 */
export function createRemoteFiles(host: RemoteHost): GuardedFiles {
  const asking = async <Result>(
    tool: string,
    path: string,
    how: WhenDenied | undefined,
    run: () => Promise<Result>,
    exact: () => Readonly<Record<string, unknown>> = () => ({}),
  ): Promise<Result> => {
    if (how === undefined || !asks(tool, how)) return await run();
    try {
      return await run();
    } catch (refusal) {
      if (!(refusal instanceof CodedError) || refusal.code !== "PERMISSION_DENIED") throw refusal;
      const { reason, leaseSeconds, waitSeconds } = how;
      await host.requestPermission({
        permission: READS.has(tool) ? "fs.read" : "fs.write",
        resource: path,
        operation: tool.slice(3),
        args: { path },
        argsDigest: digestOf({ path, ...exact() }),
        reason,
        leaseSeconds,
        waitSeconds,
      });
      return await run();
    }
  };
  const read = ({ path, maxBytes, ...how }: ReadOptions & { readonly path: string }): Promise<Buffer> =>
    asking("fs.read", path, how, async () => (await host.ask("fs.read", [path, maxBytes])).bytes);
  const put = async (
    tool: "fs.write" | "fs.append",
    path: string,
    data: string | Uint8Array,
    how: WhenDenied | undefined,
  ): Promise<void> => {
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
    const exact = () => writtenExactly(bytes);
    await asking(tool, path, how, () => host.call<void>(tool, [path], inPieces(bytes)), exact);
  };
  return {
    read: (path, options) => read({ ...options, path }),
    readText: async (path, options) => (await read({ ...options, path })).toString("utf8"),
    write: (path, data, how) => put("fs.write", path, data, how),
    append: (path, data, how) => put("fs.append", path, data, how),
    list: (path, how) => asking("fs.list", path, how, () => host.call("fs.list", [path])),
    stat: async (path, how) =>
      (await asking("fs.stat", path, how, () => host.call<Facts | null>("fs.stat", [path]))) ?? undefined,
    mkdir: (path, how) => asking("fs.mkdir", path, how, () => host.call("fs.mkdir", [path])),
    remove: (path, how) => asking("fs.remove", path, how, () => host.call("fs.remove", [path])),
  };
}

type Facts = NonNullable<Awaited<ReturnType<GuardedFiles["stat"]>>>;
const READS: ReadonlySet<string> = new Set(["fs.read", "fs.list", "fs.stat"]);

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield* cutBytes(bytes, PIECE_BYTES);
}
