/**
 * Streamed results for sessions without `result_chunk`, which see no chunk (§6.2, §8.4). Their `job.result` has no
 * `result_id`, since nothing it could name ever comes. Instead it carries
 *
 *   result            the text, or bytes in base64, where that fits; else
 *   result_artifact   { uri, content_type, byte_size, sha256 } as in an `artifact_ref`, to be fetched from there;
 *   result_encoding   `utf8` or `base64`, and `result_size`, bytes of data, either way.
 *
 * Both are made of what the log holds, so every replay gives the same frame.
 */
import type { ArtifactId, JobId } from "../../kernel/ids.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { endsLog } from "../../kernel/log/follow.ts";
import { type ResultPiece, type StreamedTerminal, streamedTerminal } from "../../kernel/log/streamed-result.ts";
import type { ArtifactRow, Chunk } from "../../kernel/ports.ts";
import { Turnstile } from "../../kernel/turnstile.ts";
import { artifactUri } from "../../protocol/artifact-uri.ts";

/** Largest result put into a frame, in bytes of JSON: as much as an agent may return whole. */
export const MAX_ASSEMBLED_BYTES = 1_048_576;

/** Results put together at a time, each of which holds up to that much, or a page of the log and an open file. */
const MADE_AT_ONCE = 8;

const CONTENT_TYPES = {
  utf8: "text/plain; charset=utf-8",
  base64: "application/octet-stream",
} as const satisfies Record<ResultPiece["encoding"], string>;

export class AssembledResults {
  readonly #kernel: Pick<Kernel, "readResult" | "readArtifact" | "addArtifact">;
  /** Terminals being made, by job: sessions that need the same one wait for it together. */
  readonly #underWay = new Map<JobId, Promise<string>>();
  readonly #turnstile = new Turnstile(MADE_AT_ONCE);

  constructor(kernel: Pick<Kernel, "readResult" | "readArtifact" | "addArtifact">) {
    this.#kernel = kernel;
  }

  /** Consecutive entries of one job as a session without `result_chunk` sees them: the same, but for such a terminal. */
  async put(chunks: readonly Chunk[]): Promise<readonly Chunk[]> {
    const last = chunks.at(-1);
    if (last === undefined || !endsLog(last)) return chunks;
    const terminal = streamedTerminal(last.payloads.at(-1) ?? "");
    if (terminal === undefined) return chunks;
    const payload = await this.#once(last.job, terminal);
    return [...chunks.slice(0, -1), { ...last, payloads: [...last.payloads.slice(0, -1), payload] }];
  }

  #once(job: JobId, terminal: StreamedTerminal): Promise<string> {
    let making = this.#underWay.get(job);
    if (making === undefined) {
      making = this.#turnstile.run(() => this.#make(job, terminal)).finally(() => this.#underWay.delete(job));
      this.#underWay.set(job, making);
    }
    return making;
  }

  async #make(job: JobId, { result_id: resultId, ...told }: StreamedTerminal): Promise<string> {
    const size = told.result_size;
    const encoding = (await firstOf(this.#kernel.readResult(job, resultId)))?.encoding ?? "utf8";
    const content = (): AsyncGenerator<Buffer, void, void> =>
      bytesOf(this.#kernel.readResult(job, resultId), size, resultId);
    const fields = { ...told, result_encoding: encoding };
    if (size <= MAX_ASSEMBLED_BYTES) {
      const result = JSON.stringify((await join(content())).toString(encoding));
      if (Buffer.byteLength(result) <= MAX_ASSEMBLED_BYTES) {
        return `${JSON.stringify(fields).slice(0, -1)},"result":${result}}`;
      }
    }
    const artifact = await this.#artifactOf(job, resultId, CONTENT_TYPES[encoding], content);
    return JSON.stringify({
      ...fields,
      result_artifact: {
        uri: artifactUri(artifact.id),
        content_type: artifact.contentType,
        byte_size: artifact.size,
        sha256: artifact.sha256,
      },
    });
  }

  /** The artifact that holds a result. Its id follows from the result's, so it is made once, whoever asks and when. */
  async #artifactOf(
    job: JobId,
    resultId: string,
    contentType: string,
    content: () => AsyncIterable<Uint8Array>,
  ): Promise<ArtifactRow> {
    const id: ArtifactId = `art_${resultId.slice(resultId.indexOf("_") + 1)}`;
    const known = await this.#kernel.readArtifact(id);
    return known ?? this.#kernel.addArtifact(id, job, { name: null, contentType }, content());
  }
}

async function firstOf(pieces: AsyncIterable<ResultPiece>): Promise<ResultPiece | undefined> {
  for await (const piece of pieces) return piece;
  return undefined;
}

/** @throws Error when it is not `size` bytes: what the log has lost must not be taken for a result. */
async function* bytesOf(
  pieces: AsyncIterable<ResultPiece>,
  size: number,
  resultId: string,
): AsyncGenerator<Buffer, void, void> {
  let found = 0;
  for await (const { data, encoding } of pieces) {
    const bytes = Buffer.from(data, encoding);
    found += bytes.length;
    yield bytes;
  }
  if (found !== size) throw new Error(`${found} of the ${size} bytes of result ${resultId} are on the log`);
}

async function join(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts);
}
