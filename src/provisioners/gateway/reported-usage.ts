/**
 * What an answer says that it used, in the words of the OpenAI API, and what that costs. An upstream that says nothing, or
 * nothing that can be true, is taken to have used all that was set aside. Pure.
 */
import { completeUsage, type ModelUsage, readUsage } from "../../agents/model-usage.ts";
import type { Price } from "../../agents/prices.ts";
import type { Amount } from "../../kernel/authority/decimal.ts";
import type { Call } from "./call-body.ts";

type Fields = Readonly<Record<string, unknown>>;

/** @param usage `usage` of a chat completion, a response or an embedding. */
function readReportedUsage(usage: unknown): ModelUsage {
  const told = fieldsOf(usage);
  const input = fieldsOf(told.prompt_tokens_details ?? told.input_tokens_details);
  const output = fieldsOf(told.completion_tokens_details ?? told.output_tokens_details);
  return readUsage({
    inputTokens: { total: told.prompt_tokens ?? told.input_tokens, cacheRead: input.cached_tokens },
    outputTokens: { total: told.completion_tokens ?? told.output_tokens, reasoning: output.reasoning_tokens },
  });
}

/** What a call costs at most. */
export function mostOf(price: Price, { most }: Call): Amount {
  return price.costOf(completeUsage({ input: undefined, output: undefined }, most.input, most.output));
}

/**
 * What a call cost, by the dearest of what was told. What is told may be more than was set aside: it is what will be paid.
 * @param told each `usage` that the answer had; none costs all that was set aside.
 */
export function costOf(price: Price, call: Call, told: readonly unknown[]): Amount {
  const costs = told.map((usage) =>
    price.costOf(completeUsage(readReportedUsage(usage), call.most.input, call.most.output)),
  );
  return costs.length === 0 ? mostOf(price, call) : costs.reduce((dearest, cost) => (cost > dearest ? cost : dearest));
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}
