/**
 * What a call of a language model used, as counts that can be charged: each token in exactly one of them. Read from what
 * the model reports, in any version of the AI SDK's specification, and never trusted to lower a bill. Pure.
 */

export interface InputTokens {
  /** At the full price. */
  readonly fresh: number;
  /** Read from a cache. */
  readonly cached: number;
  /** Written to a cache. */
  readonly written: number;
}

export interface OutputTokens {
  readonly text: number;
  readonly reasoning: number;
}

/** A side is undefined where the model did not tell. */
export interface ModelUsage {
  readonly input: InputTokens | undefined;
  readonly output: OutputTokens | undefined;
}

/** `assumed` names the sides that were not told. */
export interface CountedUsage {
  readonly input: InputTokens;
  readonly output: OutputTokens;
  readonly assumed: readonly ("input" | "output")[];
}

/**
 * @param usage as in `doGenerate` or the `finish` part of `doStream`, of specification v2, v3 or v4. Counts that are not
 * whole numbers from 0 on are not counts. No prompt has 0 tokens, so 0 of them on the side of the input tells nothing.
 */
export function readUsage(usage: unknown): ModelUsage {
  const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens } = fieldsOf(usage);
  if (typeof inputTokens === "object" || typeof outputTokens === "object") {
    return { input: readInput(fieldsOf(inputTokens)), output: readOutput(fieldsOf(outputTokens)) };
  }
  // v2 does not say whether cached tokens are among the input tokens, and providers differ: both are counted, in full.
  const fresh = count(inputTokens);
  const text = count(outputTokens);
  return {
    input: fresh ? { fresh, cached: count(cachedInputTokens) ?? 0, written: 0 } : undefined,
    output: text === undefined ? undefined : dividedOutput(text, count(reasoningTokens) ?? 0),
  };
}

/**
 * Puts an assumption in the place of what was not told: a token for each byte that went over. Nearly all tokens stand for
 * more than one, so what was visible costs less than this; what was not (reasoning that is kept back, a picture named by
 * its address) is not in it.
 * @param sent, received bytes, as `sizeOf` counts them.
 */
export function completeUsage({ input, output }: ModelUsage, sent: number, received: number): CountedUsage {
  // An answer of which there is something to see has cost something.
  const told = output !== undefined && (output.text + output.reasoning > 0 || received === 0) ? output : undefined;
  return {
    input: input ?? { fresh: sent, cached: 0, written: 0 },
    output: told ?? { text: received, reasoning: 0 },
    assumed: [...(input === undefined ? ["input" as const] : []), ...(told === undefined ? ["output" as const] : [])],
  };
}

/** As it goes on the log. */
export function usageRecord({ input, output, assumed }: CountedUsage): Readonly<Record<string, unknown>> {
  return {
    input_tokens: input.fresh + input.cached + input.written,
    ...(input.cached > 0 && { cached_input_tokens: input.cached }),
    ...(input.written > 0 && { cache_write_tokens: input.written }),
    output_tokens: output.text + output.reasoning,
    ...(output.reasoning > 0 && { reasoning_tokens: output.reasoning }),
    ...(assumed.length > 0 && { assumed }),
  };
}

/** Deeper values are not counted: no prompt nests like this. */
const MAX_DEPTH = 32;

/** Bytes of content in a prompt, an answer, or a part of one: texts as UTF-8, binary data, addresses; names of fields not. */
export function sizeOf(value: unknown, depth = 0): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return 0;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength;
  if (value instanceof URL) return value.href.length;
  let size = 0;
  for (const member of Array.isArray(value) ? value : Object.values(value)) size += sizeOf(member, depth + 1);
  return size;
}

function readInput({ total, noCache, cacheRead, cacheWrite }: Fields): InputTokens | undefined {
  const all = count(total);
  const fresh = count(noCache);
  const cached = count(cacheRead) ?? 0;
  const written = count(cacheWrite) ?? 0;
  if (all === undefined && fresh === undefined) return undefined;
  // Parts that exceed the total were not counted in it.
  const rest = all === undefined ? 0 : cached + written > all ? all : all - cached - written;
  const tokens = { fresh: Math.max(fresh ?? 0, rest), cached, written };
  return tokens.fresh + cached + written > 0 ? tokens : undefined;
}

function readOutput({ total, text, reasoning }: Fields): OutputTokens | undefined {
  const all = count(total);
  const visible = count(text);
  if (all === undefined && visible === undefined) return undefined;
  const divided = dividedOutput(all ?? 0, count(reasoning) ?? 0);
  return { text: Math.max(visible ?? 0, divided.text), reasoning: divided.reasoning };
}

function dividedOutput(total: number, reasoning: number): OutputTokens {
  return { text: reasoning > total ? total : total - reasoning, reasoning };
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function count(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}
