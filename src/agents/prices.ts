/** What models cost: a table that whoever runs the runtime gives it, and exact sums over what a call used. Pure. */
import { type Amount, parseAmount } from "../kernel/authority/decimal.ts";
import { compilePatterns, findPatternProblem } from "../kernel/authority/patterns.ts";
import type { CountedUsage } from "./model-usage.ts";

/** For 1,000,000 tokens each: decimals as text, at most 24 digits after the point. */
export interface ModelPrice {
  /** As budgets name it, such as `USD`. */
  readonly currency: string;
  readonly input: string;
  readonly output: string;
  /** Of input read from a cache. Default: `input`. */
  readonly cachedInput?: string;
  /** Of input written to a cache. Default: `input`. */
  readonly cacheWrite?: string;
  /** Of output that is reasoning. Default: `output`. */
  readonly reasoning?: string;
}

/** Model → price. A model is an id, such as `openai/gpt-5-mini`, or a pattern of `model.use`, such as `openai/*`. */
export type ModelPrices = Readonly<Record<string, ModelPrice>>;

export interface PriceTable {
  /** What it was made from. */
  readonly prices: ModelPrices;
  /** The price of a model by any of its ids: an entry for just that id, else the first pattern, as they were written. */
  find(ids: readonly string[]): Price | undefined;
}

export interface Price {
  readonly currency: string;
  /** What a call cost, exactly. */
  costOf(usage: CountedUsage): Amount;
}

/** Most entries of a table. */
export const MAX_PRICES = 4_096;

/** A price with so many digits after the point is exact for a single token. */
const MAX_FRACTION_DIGITS = 24;
const DECIMAL = new RegExp(`^\\d{1,30}(\\.\\d{1,${MAX_FRACTION_DIGITS}})?$`);
const PER_TOKENS = 1_000_000n;

const CURRENCY = /^[A-Za-z][A-Za-z0-9_-]{0,31}$/;
const OPTIONAL = ["cachedInput", "cacheWrite", "reasoning"] as const;
const FIELDS: readonly string[] = ["currency", "input", "output", ...OPTIONAL];

/** @throws RangeError naming the entry and the field that makes no sense, and what it may be. */
export function createPriceTable(prices: ModelPrices): PriceTable {
  const entries = Object.entries(asObject("prices", prices));
  if (entries.length > MAX_PRICES) throw new RangeError(`prices must have at most ${MAX_PRICES} entries`);
  const exact = new Map<string, Price>();
  const patterns: { readonly pattern: { matches(id: string): boolean }; readonly price: Price }[] = [];
  for (const [model, given] of entries) {
    const place = `prices[${JSON.stringify(model)}]`;
    const problem = findPatternProblem("model.use", model);
    if (problem !== undefined || model === "") throw new RangeError(`${place} ${problem ?? "must name a model"}`);
    const price = createPrice(place, given);
    if (/[*?]/.test(model)) patterns.push({ pattern: compilePatterns("model.use", [model]), price });
    else exact.set(model, price);
  }
  return {
    prices,
    find(ids) {
      const named = ids.find((id) => exact.has(id));
      if (named !== undefined) return exact.get(named);
      return patterns.find(({ pattern }) => ids.some((id) => pattern.matches(id)))?.price;
    },
  };
}

function createPrice(place: string, given: ModelPrice): Price {
  const fields: Readonly<Record<string, unknown>> = { ...asObject(place, given) };
  const unknown = Object.keys(fields).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined)
    throw new RangeError(`${place}.${unknown} is no part of a price: there are ${FIELDS.join(", ")}`);
  const { currency } = fields;
  if (typeof currency !== "string" || !CURRENCY.test(currency)) {
    throw new RangeError(`${place}.currency must be a currency as budgets name it, such as USD`);
  }
  const input = readPrice(place, "input", fields.input);
  const output = readPrice(place, "output", fields.output);
  const optional = (name: (typeof OPTIONAL)[number], otherwise: Amount): Amount =>
    fields[name] === undefined ? otherwise : readPrice(place, name, fields[name]);
  const cachedInput = optional("cachedInput", input);
  const cacheWrite = optional("cacheWrite", input);
  const reasoning = optional("reasoning", output);
  return {
    currency,
    costOf: (usage) =>
      (input * BigInt(usage.input.fresh) +
        cachedInput * BigInt(usage.input.cached) +
        cacheWrite * BigInt(usage.input.written) +
        output * BigInt(usage.output.text) +
        reasoning * BigInt(usage.output.reasoning)) /
      PER_TOKENS,
  };
}

/** Text only: a number has been rounded before anybody could look at it. */
function readPrice(place: string, name: string, value: unknown): Amount {
  const [text] = (typeof value === "string" && DECIMAL.exec(value)) || [];
  if (text !== undefined) return parseAmount(text, `${place}.${name}`);
  throw new RangeError(
    `${place}.${name} must be the price of 1,000,000 tokens as text, such as "2.50", with at most ${MAX_FRACTION_DIGITS} digits after the point`,
  );
}

function asObject<Value extends object>(place: string, value: Value): Value {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new RangeError(`${place} must be an object`);
}
