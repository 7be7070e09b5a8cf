/**
 * The calls that are passed on, each at exactly one path, and what their bodies may say. A field that is not here is refused:
 * it may name another model (`models`, `fallbacks`), reach what another key left upstream (`previous_response_id`), or
 * cost what no token counts (searches, priority, sound).
 */

export interface Endpoint {
  /** Below the base URL, here and upstream. */
  readonly path: string;
  readonly fields: ReadonlySet<string>;
  /** The field that prompts are in. */
  readonly prompt: "messages" | "input";
  /** Fields that bound what a call may answer, in tokens; none where nothing is written. */
  readonly outputLimits: readonly string[];
  /** Streamed usage has to be asked for (`stream_options.include_usage`). */
  readonly asksForUsage: boolean;
}

const SAMPLING = ["temperature", "top_p", "top_k", "min_p", "seed", "stop", "logit_bias", "logprobs", "top_logprobs"];
const PENALTIES = ["presence_penalty", "frequency_penalty", "repetition_penalty"];
const TOOLS = ["tools", "tool_choice", "parallel_tool_calls"];
const LABELS = ["user", "safety_identifier", "metadata", "store", "service_tier"];
const CACHE = ["prompt_cache_key", "prompt_cache_retention"];
const COMMON = [
  "model",
  "stream",
  "stream_options",
  "reasoning",
  ...SAMPLING,
  ...PENALTIES,
  ...TOOLS,
  ...LABELS,
  ...CACHE,
];

const CHAT: Endpoint = {
  path: "/chat/completions",
  fields: new Set([
    ...COMMON,
    ...["messages", "max_tokens", "max_completion_tokens", "n", "response_format", "reasoning_effort", "verbosity"],
    ...["modalities", "functions", "function_call"],
  ]),
  prompt: "messages",
  outputLimits: ["max_completion_tokens", "max_tokens"],
  asksForUsage: true,
};

const RESPONSES: Endpoint = {
  path: "/responses",
  fields: new Set([
    ...COMMON,
    ...["input", "instructions", "max_output_tokens", "max_tool_calls", "text", "include", "truncation"],
  ]),
  prompt: "input",
  outputLimits: ["max_output_tokens"],
  asksForUsage: false,
};

const EMBEDDINGS: Endpoint = {
  path: "/embeddings",
  fields: new Set(["model", "input", "encoding_format", "dimensions", "user"]),
  prompt: "input",
  outputLimits: [],
  asksForUsage: false,
};

export const ENDPOINTS: readonly Endpoint[] = [CHAT, RESPONSES, EMBEDDINGS];
