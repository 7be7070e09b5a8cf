/** `ctx.artifact`: content kept beside the log, and an `artifact_ref` event that tells where (§8.2). */
import { AsyncLocalStorage } from "node:async_hooks";
import type { JobHost } from "../kernel/agents-port.ts";
import type { ArtifactLabel } from "../kernel/job/artifacts.ts";
import type { ArtifactRow } from "../kernel/ports.ts";
import { artifactUri } from "../protocol/artifact-uri.ts";
import { cutBytes, cutText, Pairs } from "./characters.ts";
import type { Outside } from "./emission.ts";
import { invalid } from "./event-bodies.ts";

/** Text is kept as UTF-8. Of what comes in pieces, no more than the piece at hand is held in memory. */
export type ArtifactData =
  | string
  | Uint8Array
  | Blob
  | ReadableStream<string | Uint8Array>
  | AsyncIterable<string | Uint8Array>;

export interface ArtifactSource {
  /** For people, such as a file name; goes along as the event's `name`. From 1 to 256 characters. */
  readonly name?: string;
  /** A media type, such as `text/markdown` or `image/png`; at most 255 characters. */
  readonly contentType: string;
  readonly data: ArtifactData;
}

/** The body of the `artifact_ref` event: what the job's readers get, and what may go into the job's result. */
export interface ArtifactRef {
  /** Resolved against the runtime's origin, and fetched with a token that may see the job. */
  readonly uri: string;
  readonly content_type: string;
  /** In bytes. */
  readonly byte_size: number;
  /** Of the content, in lower-case hex. */
  readonly sha256: string;
  readonly name?: string;
}

const MAX_NAME_LENGTH = 256;
const MAX_TYPE_LENGTH = 255;
/** `type/subtype` and parameters in visible ASCII: it becomes a header as it is. */
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+[ -~]*$/;
/** Bytes, and units of text, hashed and written at a time: longer would hold up everyone else. */
const PIECE_LENGTH = 262_144;

const ignore = (): void => {};

export function createArtifact(host: JobHost, outside: Outside): (source: ArtifactSource) => Promise<ArtifactRef> {
  const keep = async (source: ArtifactSource): Promise<ArtifactRef> => {
    const label = labelOf(source);
    const content = withinThisContext(bytesOf(source.data));
    return refOf(await outside(() => host.putArtifact(label, content, (row) => JSON.stringify(refOf(row)))));
  };
  return (source) => {
    const { promise, resolve, reject } = Promise.withResolvers<ArtifactRef>();
    keep(source).then(resolve, (error: unknown) => {
      // An agent that does not await it has done nothing wrong when its job is stopped.
      if (host.signal.aborted) promise.catch(ignore);
      reject(error);
    });
    return promise;
  };
}

/** @throws CodedError INVALID_REQUEST */
export function labelOf(source: ArtifactSource): ArtifactLabel {
  if (typeof source !== "object" || source === null) throw invalid("artifact", "must be an object");
  const { name, contentType } = source;
  if (name !== undefined && (typeof name !== "string" || name === "" || name.length > MAX_NAME_LENGTH)) {
    throw invalid("artifact.name", `must be a string of 1 to ${MAX_NAME_LENGTH} characters`);
  }
  if (typeof contentType !== "string" || contentType.length > MAX_TYPE_LENGTH || !MEDIA_TYPE.test(contentType)) {
    throw invalid(
      "artifact.contentType",
      `must be a media type such as text/plain, of at most ${MAX_TYPE_LENGTH} characters`,
    );
  }
  return { name: name ?? null, contentType };
}

export function refOf({ id, contentType, size, sha256, name }: ArtifactRow): ArtifactRef {
  return {
    uri: artifactUri(id),
    content_type: contentType,
    byte_size: size,
    sha256,
    ...(name === null ? {} : { name }),
  };
}

async function* bytesOf(data: ArtifactData): AsyncGenerator<Uint8Array, void, void> {
  const pairs = new Pairs();
  for await (const piece of piecesOf(data)) {
    if (typeof piece === "string") {
      yield* encoded(pairs.join(piece));
    } else if (piece instanceof Uint8Array) {
      yield* encoded(pairs.takeHalf());
      yield* cutBytes(piece, PIECE_LENGTH);
    } else {
      throw invalid("artifact.data", `came with a piece that is no string and no Uint8Array but ${typeof piece}`);
    }
  }
  yield* encoded(pairs.takeHalf());
}

function* encoded(text: string): Generator<Uint8Array, void, void> {
  for (const piece of cutText(text, PIECE_LENGTH)) yield Buffer.from(piece);
}

function piecesOf(data: ArtifactData): Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array> {
  if (typeof data === "string" || data instanceof Uint8Array) return [data];
  if (data instanceof Blob) return data.stream();
  if (typeof data === "object" && data !== null && Symbol.asyncIterator in data) return data;
  throw invalid("artifact.data", "must be a string, a Uint8Array, a Blob, a ReadableStream or an AsyncIterable");
}

/** `content` read within the current async context: what goes astray in an agent's generator is the agent's. */
function withinThisContext(content: AsyncGenerator<Uint8Array, void, void>): AsyncIterable<Uint8Array> {
  const inside = AsyncLocalStorage.snapshot();
  const iterator: AsyncIterator<Uint8Array> = {
    next: () => inside(() => content.next()),
    return: () => inside(() => content.return(undefined)),
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
