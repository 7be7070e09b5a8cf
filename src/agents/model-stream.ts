/**
 * What a model streams, handed on part by part and watched: the usage that its last part tells is charged before that part
 * is handed on, and a stream that ends in any other way is charged for what went over. Once the job is stopped nothing
 * more is handed out, whatever the model makes of the signal.
 */
import { type ModelUsage, readUsage, sizeOf } from "./model-usage.ts";

export interface StreamEnd {
  readonly usage: ModelUsage;
  /** Bytes of content that were received, as `sizeOf` counts them. */
  readonly received: number;
  readonly finishReason: unknown;
  /** The model that answered; undefined where the stream does not say. */
  readonly answeredBy: unknown;
  /** Why the stream failed, where it did. */
  readonly error?: unknown;
}

export interface StreamWatch {
  /** Of the job, not of the caller: what the model makes of the caller's is between these two. */
  readonly signal: AbortSignal;
  /** Called once, when nothing more comes. When it rejects, so does the stream. */
  ended(end: StreamEnd): Promise<void>;
  /** What is told of an error instead of it. */
  translate(error: unknown): unknown;
}

interface Part {
  readonly type?: unknown;
  readonly usage?: unknown;
  readonly finishReason?: unknown;
  readonly error?: unknown;
  readonly [field: string]: unknown;
}

/** The fields of a part that hold what the model wrote. */
const CONTENT_FIELDS = ["delta", "input", "data", "text", "result"] as const;
/** Parts that repeat or wrap what others tell. */
const NOT_CONTENT: ReadonlySet<unknown> = new Set(["raw", "stream-start"]);

const ignore = (): void => {};

export function watchStream<Value>(source: ReadableStream<Value>, watch: StreamWatch): ReadableStream<Value> {
  const { signal } = watch;
  const reader = source.getReader();
  let received = 0;
  let usage: ModelUsage = { input: undefined, output: undefined };
  let finishReason: unknown;
  let answeredBy: unknown;
  let failure: { readonly error: unknown } | undefined;
  let over = false;
  let controller: ReadableStreamDefaultController<Value>;

  const end = async (failed = failure): Promise<void> => {
    if (over) return;
    over = true;
    signal.removeEventListener("abort", stop);
    await watch.ended({ usage, received, finishReason, answeredBy, ...failed });
  };
  function stop(): void {
    controller.error(signal.reason);
    reader.cancel(signal.reason).catch(ignore);
    end({ error: signal.reason }).catch(ignore);
  }
  /** The part as it is handed on. */
  const look = async (part: Part): Promise<Part> => {
    if (part.type === "finish") {
      usage = readUsage(part.usage);
      finishReason = part.finishReason;
      await end();
    } else if (part.type === "response-metadata") {
      answeredBy = part.modelId;
    } else if (part.type === "error") {
      failure = { error: watch.translate(part.error) };
      return { ...part, ...failure };
    } else if (!NOT_CONTENT.has(part.type)) {
      for (const field of CONTENT_FIELDS) received += sizeOf(part[field]);
    }
    return part;
  };

  return new ReadableStream<Value>(
    {
      start(started) {
        controller = started;
        if (signal.aborted) stop();
        else signal.addEventListener("abort", stop, { once: true });
      },
      async pull() {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue((await look(value as Part)) as Value);
          // Undefined where its last part never came.
          finishReason ??= "interrupted";
          await end();
          controller.close();
        } catch (error) {
          const told = watch.translate(error);
          await end({ error: told });
          throw told;
        }
      },
      async cancel(reason) {
        finishReason = "cancelled";
        const ended = end();
        await reader.cancel(reason);
        await ended;
      },
    },
    // Nothing is read ahead of whoever reads here.
    { highWaterMark: 0 },
  );
}
