/** `leasehold artifact`: fetches what a job left behind, checked against its SHA-256. */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ARTIFACTS_PATH } from "../api-job.ts";
import { apiGet } from "../api-request.ts";
import { CliError, usageError } from "../cli-error.ts";
import { type ConnectionOptions, findTarget } from "../connection.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { listenForInterrupt } from "../interrupt-signal.ts";
import type { CliIo } from "../io.ts";
import { jsonLine, safeLine } from "../render/sanitize.ts";

interface ArtifactOptions extends ConnectionOptions {
  /** File to write it to; without one, to standard output. */
  readonly output?: string;
  readonly json?: boolean;
}

/** @throws CliError CONTENT_DAMAGED at the end, when what passed through is not what the runtime named. */
async function* verified(response: Response, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
  const hash = createHash("sha256");
  try {
    for await (const piece of response.body ?? new ReadableStream<Uint8Array>()) {
      hash.update(piece);
      yield piece;
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new CliError("CONNECTION_LOST", "the connection was lost before all of the artifact had come", {
      remedy: "try again",
      exitCode: EXIT.unreachable,
      cause: error,
    });
  }
  const expected = response.headers.get("etag")?.replaceAll('"', "");
  if (expected !== hash.digest("hex")) {
    throw new CliError("CONTENT_DAMAGED", "what came is not what the artifact's SHA-256 says", { remedy: "try again" });
  }
}

/** Written beside the file and renamed into its place: a file of that name is whole, or as it was before. */
async function save(content: AsyncIterable<Uint8Array>, path: string, pid: number): Promise<number> {
  const draft = `${path}.${pid}.part`;
  try {
    const file = createWriteStream(draft, { flags: "wx" });
    await pipeline(Readable.from(content), file);
    await rename(draft, path);
    return file.bytesWritten;
  } catch (error) {
    await rm(draft, { force: true });
    if (error instanceof Error && "syscall" in error) {
      throw new CliError("FILE_UNWRITABLE", `${path} cannot be written: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

/** @param artifact its id, or the `uri` of its event. */
export async function fetchArtifact(artifact: string, options: ArtifactOptions, io: CliIo): Promise<ExitCode> {
  const { output, json = false } = options;
  if (output === undefined && (json || io.stdout.width() !== undefined)) {
    const where = json ? "among lines of JSON" : "on a terminal";
    throw usageError(`the content of an artifact has no place ${where}`, "name a file with --output, or use a pipe");
  }
  using interrupt = listenForInterrupt(io);
  const { signal } = interrupt;
  const target = await findTarget(options, io);
  const id = artifact.startsWith(ARTIFACTS_PATH) ? decodeURIComponent(artifact.slice(ARTIFACTS_PATH.length)) : artifact;
  const response = await apiGet(target, `${ARTIFACTS_PATH}${encodeURIComponent(id)}`, {}, signal);
  const content = verified(response, signal);
  if (output === undefined) {
    for await (const piece of content) {
      io.stdout.write(piece);
      await io.stdout.flush();
      signal.throwIfAborted();
    }
    return EXIT.ok;
  }
  const size = await save(content, resolve(io.cwd, output), io.pid);
  io.stdout.write(
    json
      ? jsonLine({ artifact_id: id, saved_to: output, byte_size: size })
      : `${size} bytes written to ${safeLine(output)}\n`,
  );
  return EXIT.ok;
}
