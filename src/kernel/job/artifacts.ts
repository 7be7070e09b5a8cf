/**
 * What jobs leave behind beside their log (§8.2, `artifact_ref`): content goes to `Artifacts` first and is durable there;
 * then its row, and the event that tells of it, go in one commit. So a crash leaves content that nothing names, which a
 * sweep removes, and never a name without content.
 */
import type { Timer, World } from "../../platform/world.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { ArtifactId, JobId } from "../ids.ts";
import type { GroupCommit } from "../log/group-commit.ts";
import type { ArtifactRow, Artifacts, ByteRange, KeptContent, Store } from "../ports.ts";
import { Turnstile } from "../turnstile.ts";
import type { ActiveJob } from "./active-job.ts";

/** `maxArtifactBytes`: largest single artifact, unless configured otherwise. */
export const MAX_ARTIFACT_BYTES = 268_435_456;
/** `maxJobArtifactBytes`: all artifacts of a job together, over all its attempts, unless configured otherwise. */
export const MAX_JOB_ARTIFACT_BYTES = 1_073_741_824;
/** After content was put whose row could not be committed: until it is swept. Others of its kind may follow. */
const ORPHAN_SWEEP_MS = 60_000;
/** Contents one attempt has on their way at a time, each of which holds a file open. Further ones wait. */
const MAX_UNDER_WAY = 16;

export interface ArtifactLimits {
  /** In bytes. */
  readonly maxArtifactBytes: number;
  /** In bytes. */
  readonly maxJobArtifactBytes: number;
}

/** What is known of an artifact before its content is. */
export interface ArtifactLabel {
  readonly name: string | null;
  readonly contentType: string;
}

/** Stored since the start of the process. */
export interface ArtifactCounts {
  readonly artifacts: number;
  /** Of all of them, whether or not some have the same content. */
  readonly bytes: number;
}

export class JobArtifacts {
  readonly #store: Store;
  readonly #artifacts: Artifacts;
  readonly #world: World;
  readonly #commits: GroupCommit;
  readonly #limits: ArtifactLimits;
  #closed = false;
  #sweeping: Promise<number> | undefined;
  /** The sweep that follows the one under way. */
  #nextSweep: Promise<number> | undefined;
  #orphanSweep: Timer | undefined;
  readonly #counts = { artifacts: 0, bytes: 0 };

  constructor(options: {
    store: Store;
    artifacts: Artifacts;
    world: World;
    commits: GroupCommit;
    limits: ArtifactLimits;
  }) {
    this.#store = options.store;
    this.#artifacts = options.artifacts;
    this.#world = options.world;
    this.#commits = options.commits;
    this.#limits = options.limits;
  }

  /**
   * Where one attempt's artifacts come in.
   * @param append puts an `artifact_ref` event with this body on the job's log, or throws.
   */
  intake(job: ActiveJob, attempt: number, signal: AbortSignal, append: (body: string) => void): ArtifactIntake {
    const { id } = job.record;
    return new ArtifactIntake({
      job,
      signal,
      append,
      limits: this.#limits,
      orphaned: () => this.#sweepLater(),
      put: (content) => this.#artifacts.put(content),
      // What earlier attempts left is still there.
      kept: () => (attempt === 1 ? Promise.resolve(0) : this.#store.sumArtifacts(id)),
      describe: (label, kept) => this.#row(this.#world.ids.next("art"), id, label, kept),
      stored: ({ size }) => this.#count(size),
    });
  }

  /** Adds an artifact that no agent made, under an id of the caller's choice; what is there under it stays. */
  async add(
    id: ArtifactId,
    job: JobId,
    label: ArtifactLabel,
    content: AsyncIterable<Uint8Array>,
  ): Promise<ArtifactRow> {
    const kept = await this.#artifacts.put(content);
    let committed = false;
    try {
      const row = this.#row(id, job, label, kept);
      await new Promise<void>((resolve, reject) => {
        this.#commits.plan(() => ({ rows: { artifacts: [row] }, committed: resolve, failed: reject }));
      });
      committed = true;
      this.#count(kept.size);
      return row;
    } finally {
      kept.release();
      if (!committed) this.#sweepLater();
    }
  }

  get counts(): ArtifactCounts {
    return this.#counts;
  }

  read(id: ArtifactId): Promise<ArtifactRow | undefined> {
    return this.#store.readArtifact(id);
  }

  open(artifact: ArtifactRow, range?: ByteRange): Promise<AsyncIterable<Uint8Array> | undefined> {
    return this.#artifacts.open(artifact.sha256, range);
  }

  /**
   * Removes contents that no artifact names any more, and tells how many. While a sweep is under way, which has looked at
   * some contents already, one more follows it, for whoever asks meanwhile.
   */
  sweep(): Promise<number> {
    if (this.#sweeping === undefined) return this.#sweep();
    this.#nextSweep ??= this.#sweeping
      .catch(() => {})
      .then(() => {
        this.#nextSweep = undefined;
        return this.#sweep();
      });
    return this.#nextSweep;
  }

  #sweep(): Promise<number> {
    this.#sweeping ??= this.#artifacts
      .sweep(async (digests) => {
        if (this.#closed) throw new CodedError("INTERNAL_ERROR", "the runtime is closing");
        return this.#store.findNamedContents(digests);
      })
      .finally(() => {
        this.#sweeping = undefined;
      });
    return this.#sweeping;
  }

  /** Ends a sweep that is under way; resolves once it has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#orphanSweep?.cancel();
    await (this.#nextSweep ?? this.#sweeping)?.catch(() => {});
  }

  #count(bytes: number): void {
    this.#counts.artifacts++;
    this.#counts.bytes += bytes;
  }

  #sweepLater(): void {
    if (this.#closed) return;
    this.#orphanSweep ??= this.#world.timers.after(ORPHAN_SWEEP_MS, () => {
      this.#orphanSweep = undefined;
      // What a sweep that fails leaves behind, the next one finds.
      this.sweep().catch(() => {});
    });
  }

  #row(id: ArtifactId, job: JobId, { name, contentType }: ArtifactLabel, { sha256, size }: KeptContent): ArtifactRow {
    return { id, job, name, contentType, size, sha256, createdAt: this.#world.clock.now() };
  }
}

interface IntakeParts {
  readonly job: ActiveJob;
  readonly signal: AbortSignal;
  readonly limits: ArtifactLimits;
  append(body: string): void;
  /** Content was put, and nothing will name it. */
  orphaned(): void;
  put(content: AsyncIterable<Uint8Array>): Promise<KeptContent>;
  kept(): Promise<number>;
  describe(label: ArtifactLabel, kept: KeptContent): ArtifactRow;
  /** The row and its event are durable. */
  stored(row: ArtifactRow): void;
}

/** The artifacts of one attempt: counts their bytes, and shuts them out with the attempt. */
export class ArtifactIntake {
  readonly #parts: IntakeParts;
  /** Bytes of this job's artifacts so far, those on their way included; undefined until it is known. */
  #bytes: Promise<{ total: number }> | undefined;
  readonly #turnstile = new Turnstile(MAX_UNDER_WAY);

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /**
   * Takes content in, and puts the event that `tell` words for it on the job's log. Resolves when all of it is durable.
   * @throws CodedError INTERNAL_ERROR beyond a limit, naming it, or when the content cannot be stored; the job's stop
   * reason after a stop; whatever `content` threw.
   */
  async put(
    label: ArtifactLabel,
    content: AsyncIterable<Uint8Array>,
    tell: (row: ArtifactRow) => string,
  ): Promise<ArtifactRow> {
    const { signal } = this.#parts;
    return this.#turnstile.run(async () => {
      signal.throwIfAborted();
      return this.#keep(await this.#counted(), label, content, tell);
    });
  }

  /** A count that could not be read is read again the next time. */
  #counted(): Promise<{ total: number }> {
    if (this.#bytes === undefined) {
      this.#bytes = this.#parts.kept().then((total) => ({ total }));
      this.#bytes.catch(() => {
        this.#bytes = undefined;
      });
    }
    return this.#bytes;
  }

  async #keep(
    bytes: { total: number },
    label: ArtifactLabel,
    content: AsyncIterable<Uint8Array>,
    tell: (row: ArtifactRow) => string,
  ): Promise<ArtifactRow> {
    const { job, signal, limits, append } = this.#parts;
    let size = 0;
    /** Errors that are told as they are; anything else is the disk's. */
    let known: { readonly error: unknown } | undefined;
    const count = (length: number): void => {
      size += length;
      bytes.total += length;
      if (size > limits.maxArtifactBytes) throw tooLarge("an artifact", "maxArtifactBytes", limits.maxArtifactBytes);
      if (bytes.total > limits.maxJobArtifactBytes) {
        throw tooLarge("the job's artifacts together", "maxJobArtifactBytes", limits.maxJobArtifactBytes);
      }
    };
    let kept: KeptContent | undefined;
    let committed = false;
    try {
      kept = await this.#parts.put(
        counted(content, count, signal, (error) => {
          known = { error };
        }),
      );
      signal.throwIfAborted();
      const row = this.#parts.describe(label, kept);
      append(tell(row));
      job.addArtifact(row);
      await new Promise<void>((resolve, reject) => {
        job.whenCommitted((error) => (error === undefined ? resolve() : reject(error)));
      });
      committed = true;
      this.#parts.stored(row);
      signal.throwIfAborted();
      return row;
    } catch (error) {
      bytes.total -= size;
      signal.throwIfAborted();
      if (known !== undefined) throw known.error;
      if (error instanceof CodedError) throw error;
      throw new CodedError("INTERNAL_ERROR", "an artifact could not be stored", { cause: error });
    } finally {
      kept?.release();
      if (kept !== undefined && !committed) this.#parts.orphaned();
    }
  }
}

function tooLarge(what: string, limit: string, bytes: number): CodedError {
  const message = `${what} would have more than ${bytes} bytes (${limit}): store it elsewhere and tell where`;
  return new CodedError("INTERNAL_ERROR", message, { retryable: false, details: { limit, bytes } });
}

/** `content` until the job is stopped, each piece told to `count`. What goes wrong with it is told to `failed`. */
async function* counted(
  content: AsyncIterable<Uint8Array>,
  count: (length: number) => void,
  signal: AbortSignal,
  failed: (error: unknown) => void,
): AsyncGenerator<Uint8Array, void, void> {
  const source = content[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const next = await nextUnlessStopped(source, signal);
      if (next.done === true) {
        ended = true;
        return;
      }
      count(next.value.length);
      yield next.value;
    }
  } catch (error) {
    failed(error);
    throw error;
  } finally {
    // Not awaited: a source that hangs would hang in its end as well.
    if (!ended) void source.return?.().catch(() => {});
  }
}

function nextUnlessStopped<Value>(source: AsyncIterator<Value>, signal: AbortSignal): Promise<IteratorResult<Value>> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const stop = (): void => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    source
      .next()
      .finally(() => signal.removeEventListener("abort", stop))
      .then(resolve, reject);
  });
}
