/**
 * `ctx.model`: a language model of the AI SDK under the lease's `model.use` (§9.7). Each call is an operation, and is
 * charged for what the model says it used. What comes out has the members of the specification and no others: nothing
 * else that a model may have to call its service with goes round the lease.
 */
import type { JobHost } from "../kernel/agents-port.ts";
import { CodedError } from "../protocol/errors.ts";
import { invalid } from "./event-bodies.ts";
import { type CallMeter, type ChargeParts, createCallMeter } from "./model-charge.ts";
import { watchStream } from "./model-stream.ts";
import { readUsage, sizeOf } from "./model-usage.ts";
import type { Operate } from "./operation.ts";

/** A language model of the AI SDK, specification v2, v3 or v4, by shape. */
export interface LanguageModelLike {
  readonly specificationVersion: string;
  /** Such as `openai.chat`. */
  readonly provider: string;
  readonly modelId: string;
  readonly supportedUrls: unknown;
  doGenerate(options: never): PromiseLike<object>;
  doStream(options: never): PromiseLike<{ readonly stream: ReadableStream }>;
}

/** The same model under the lease: what the AI SDK takes for it. */
export type GuardedModel<Model extends LanguageModelLike> = Model extends unknown
  ? Pick<Model, keyof LanguageModelLike>
  : never;

export interface ModelParts extends ChargeParts {
  readonly host: JobHost;
  readonly operate: Operate;
  /** What a vendor's error about its own quota is told as; undefined for any other. */
  translate(error: unknown): CodedError | undefined;
}

/** Those of a call that are looked at; the others go on as they are. */
interface CallOptions {
  readonly prompt?: unknown;
  readonly tools?: unknown;
  readonly maxOutputTokens?: unknown;
  readonly responseFormat?: unknown;
  readonly abortSignal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly providerOptions?: unknown;
}

interface Callable {
  doGenerate(options: CallOptions): PromiseLike<GenerateResult>;
  doStream(options: CallOptions): PromiseLike<StreamResult>;
}
interface GenerateResult {
  readonly usage?: unknown;
  readonly content?: unknown;
  readonly finishReason?: unknown;
  readonly response?: { readonly modelId?: unknown };
}
interface StreamResult {
  readonly stream: ReadableStream;
}

const VERSIONS: readonly string[] = ["v2", "v3", "v4"];
/** What providers call other models by, among their own options. */
const OTHER_MODELS = ["model", "models", "fallbacks"] as const;
/** Longest name a service is told of by on the log, in UTF-16 units: it may call itself anything. */
const MAX_TOLD_LENGTH = 256;
const ERROR_NAME = /^\w{1,64}$/;

const ignore = (): void => {};

export function createModel(parts: ModelParts): <Model extends LanguageModelLike>(model: Model) => GuardedModel<Model> {
  /** So that a model which is guarded already is not charged twice. */
  const guarded = new WeakSet<object>();

  return <Model extends LanguageModelLike>(model: Model) => {
    assertModel(model);
    if (guarded.has(model)) return model as GuardedModel<Model>;
    const made: LanguageModelLike = {
      specificationVersion: model.specificationVersion,
      get provider() {
        return model.provider;
      },
      get modelId() {
        return model.modelId;
      },
      get supportedUrls() {
        return model.supportedUrls;
      },
      doGenerate: (options) => generate(parts, model, options),
      doStream: (options) => stream(parts, model, options),
    };
    guarded.add(made);
    return made as unknown as GuardedModel<Model>;
  };
}

/**
 * The names `model.use` and the table of prices know a model by: its id as it is, and, where that has no `/`, with its
 * provider before it: `gpt-5-mini` of `openai.chat` is `openai/gpt-5-mini` as well.
 */
export function modelIds({ provider, modelId }: Pick<LanguageModelLike, "provider" | "modelId">): readonly string[] {
  const [vendor = ""] = String(provider).split(".", 1);
  return modelId.includes("/") || vendor === "" ? [modelId] : [modelId, `${vendor}/${modelId}`];
}

async function generate(parts: ModelParts, model: LanguageModelLike, given: CallOptions): Promise<GenerateResult> {
  const options = takenOptions(given);
  const call = await prepareCall(parts, model, options, false);
  let told: Readonly<Record<string, unknown>> = {};
  return parts.operate({ ...call.request, describe: () => told }, async ({ callId, signal, traceparent }) => {
    const meter = createCallMeter(parts, call.ids, callId);
    const sent = sizeSent(options);
    options.abortSignal?.throwIfAborted();
    let result: GenerateResult;
    try {
      result = await call.model.doGenerate(withContext(options, signal, traceparent));
    } catch (error) {
      await chargeFailure(meter, error, sent, signal.aborted || options.abortSignal?.aborted === true);
      throw parts.translate(error) ?? error;
    }
    const charged = await meter.charge(readUsage(result.usage), sent, sizeOf(result.content));
    told = { ...respondent(result.response?.modelId), ...charged, finish_reason: finishReasonOf(result.finishReason) };
    return result;
  });
}

async function stream(parts: ModelParts, model: LanguageModelLike, given: CallOptions): Promise<StreamResult> {
  const options = takenOptions(given);
  const call = await prepareCall(parts, model, options, true);
  const ended = Promise.withResolvers<unknown>();
  ended.promise.catch(ignore);
  return parts.operate({ ...call.request, describe: () => ended.promise }, async ({ callId, signal, traceparent }) => {
    const meter = createCallMeter(parts, call.ids, callId);
    const sent = sizeSent(options);
    const translate = (error: unknown): unknown => parts.translate(error) ?? error;
    options.abortSignal?.throwIfAborted();
    let result: StreamResult;
    try {
      result = await call.model.doStream(withContext(options, signal, traceparent));
    } catch (error) {
      await chargeFailure(meter, error, sent, signal.aborted || options.abortSignal?.aborted === true);
      throw translate(error);
    }
    const watched = watchStream(result.stream, {
      signal,
      translate,
      async ended({ usage, received, finishReason, answeredBy, error }) {
        try {
          const charged = await meter.charge(usage, sent, received);
          if (error === undefined)
            ended.resolve({ ...respondent(answeredBy), ...charged, finish_reason: finishReasonOf(finishReason) });
          else ended.reject(error);
        } catch (failure) {
          ended.reject(failure);
          throw failure;
        }
      },
    });
    return { ...result, stream: watched };
  });
}

const NOTHING_TOLD = { input: undefined, output: undefined };

/**
 * A call that fails costs nothing, with two exceptions. Where nobody waited for the answer it may have been written all the
 * same; where there was one that could not be read, it was.
 */
async function chargeFailure(meter: CallMeter, error: unknown, sent: number, givenUp: boolean): Promise<void> {
  const { statusCode, responseBody } = responseOf(error);
  const wasAnswered = statusCode !== undefined && statusCode >= 200 && statusCode < 300;
  if (givenUp || wasAnswered) await meter.charge(NOTHING_TOLD, sent, wasAnswered ? sizeOf(responseBody) : 0);
}

/** Services quote in their errors what they were asked and what they said: the log tells the kind, and the agent has the rest. */
function describeError(error: unknown): unknown {
  const { name, statusCode } = responseOf(error);
  if (name === undefined) return error;
  const status = statusCode === undefined ? "" : `, status ${statusCode}`;
  return new CodedError("INTERNAL_ERROR", `the call of the model failed: ${name}${status}`);
}

/** What the AI SDK's errors carry, by shape; no name for an error of ours, which quotes nobody. */
function responseOf(error: unknown): {
  readonly name?: string;
  readonly statusCode?: number | undefined;
  readonly responseBody?: unknown;
} {
  try {
    if (error instanceof CodedError) return {};
    const { name, statusCode, responseBody } = Object(error) as Readonly<Record<string, unknown>>;
    return {
      name: typeof name === "string" && ERROR_NAME.test(name) ? name : "Error",
      statusCode: Number.isInteger(statusCode) ? (statusCode as number) : undefined,
      responseBody,
    };
  } catch {
    return { name: "Error" };
  }
}

async function prepareCall({ host }: ModelParts, model: LanguageModelLike, options: CallOptions, streamed: boolean) {
  const ids = modelIds(model);
  const target = await firstAllowed(host, ids);
  const { prompt, tools, maxOutputTokens } = options;
  return {
    ids,
    // Read anew for each call: who is called is who was asked for.
    model: model as unknown as Callable,
    request: {
      operations: [{ namespace: "model.use", target }],
      tool: "model",
      // Sizes, and nothing of what was said: a prompt may hold anything, and the log is for whoever may see the job.
      args: {
        model: model.modelId,
        provider: model.provider,
        streamed,
        ...(Array.isArray(prompt) && { messages: prompt.length }),
        bytes: sizeSent(options),
        ...(Array.isArray(tools) && { tools: tools.length }),
        ...(typeof maxOutputTokens === "number" && { max_output_tokens: maxOutputTokens }),
      },
      describeError,
      reword: (refusal: unknown) => (ids.length === 1 ? refusal : withIds(refusal, ids)),
    },
  };
}

/** The first of a model's names that the lease allows, or else the first: a lease that knows one of them is enough. */
async function firstAllowed({ guard }: JobHost, ids: readonly string[]): Promise<string> {
  const [first = ""] = ids;
  if (ids.length === 1) return first;
  for (const target of ids) {
    try {
      await guard.check({ namespace: "model.use", target });
      return target;
    } catch (error) {
      // Anything else refuses every name alike, as the operation will.
      if (!(error instanceof CodedError) || error.code !== "PERMISSION_DENIED") return first;
    }
  }
  return first;
}

function withIds(refusal: unknown, ids: readonly string[]): unknown {
  if (!(refusal instanceof CodedError) || refusal.code !== "PERMISSION_DENIED") return refusal;
  const { code, message, retryable, details } = refusal;
  return new CodedError(code, `${message} (nor as ${ids.slice(1).join(", ")})`, {
    retryable,
    details: { ...details, models: ids },
    cause: refusal,
  });
}

/** The trace goes along (§11), and whatever stops the job or the caller stops the call. */
function withContext(options: CallOptions, signal: AbortSignal, traceparent: string): CallOptions {
  const { abortSignal } = options;
  return {
    ...options,
    headers: { traceparent, ...options.headers },
    abortSignal: abortSignal === undefined ? signal : AbortSignal.any([signal, abortSignal]),
  };
}

function sizeSent({ prompt, tools, responseFormat }: CallOptions): number {
  return sizeOf([prompt, tools, responseFormat]);
}

/** The model that answered often has a longer name than the one that was asked. */
function respondent(modelId: unknown): { readonly answered_by?: string } {
  return typeof modelId === "string" ? { answered_by: modelId.slice(0, MAX_TOLD_LENGTH) } : {};
}

/** A text in specification v2, since then `{ unified, raw }`. */
function finishReasonOf(reason: unknown): string | undefined {
  const told = typeof reason === "object" && reason !== null && "unified" in reason ? reason.unified : reason;
  return typeof told === "string" ? told.slice(0, MAX_TOLD_LENGTH) : undefined;
}

function assertModel(model: unknown): asserts model is LanguageModelLike {
  if (typeof model === "string") {
    throw invalid("model", `must be a language model, not its name: make ${JSON.stringify(model)} with its provider`);
  }
  const { specificationVersion, modelId, doGenerate, doStream } = (model ?? {}) as Partial<LanguageModelLike>;
  if (typeof modelId !== "string" || typeof doGenerate !== "function" || typeof doStream !== "function") {
    throw invalid("model", "must be a language model of the AI SDK");
  }
  if (!VERSIONS.includes(String(specificationVersion))) {
    throw invalid("model", `has the specification ${String(specificationVersion)}: there are ${VERSIONS.join(", ")}`);
  }
}

/**
 * The options as they are now, with those of providers copied as deep as they are looked at: what was checked is what is sent.
 * A provider's options can name another model than the one the lease and the price were looked up for.
 * @throws CodedError INVALID_REQUEST for options that do.
 */
function takenOptions(given: CallOptions): CallOptions {
  const options = { ...given };
  const { providerOptions } = options;
  if (typeof providerOptions !== "object" || providerOptions === null) return options;
  const copy = Object.entries(providerOptions).map(([provider, own]) => [provider, takenMembers(own)] as const);
  for (const [provider, own] of copy) {
    if (typeof own !== "object" || own === null) continue;
    const named = OTHER_MODELS.find((name) => (own as Readonly<Record<string, unknown>>)[name] !== undefined);
    if (named === undefined) continue;
    throw invalid(`providerOptions.${provider}.${named}`, "must be left out: ctx.model calls the model it was given");
  }
  return { ...options, providerOptions: Object.fromEntries(copy) };
}

function takenMembers(own: unknown): unknown {
  return typeof own === "object" && own !== null && !Array.isArray(own) ? { ...own } : own;
}
