/** Which models a key may call, by their names alone, and what they cost. What has no price cannot be called. */
import { createPriceTable, type ModelPrices, type Price, type PriceTable } from "../../agents/prices.ts";
import type { GatewayKey } from "./keys.ts";
import { GatewayError } from "./openai-error.ts";

export interface Models {
  /** Of every price, and so of every cap. */
  readonly currency: string;
  has(key: GatewayKey, model: string): boolean;
  /** @throws GatewayError 403 when the key or the table does not have the model. */
  priceFor(key: GatewayKey, model: string): Price;
}

/** Longest name of a model, in UTF-16 units. */
const MAX_MODEL_LENGTH = 256;
/** Names that a service could read as another one: with spaces, controls, or path segments that lead elsewhere. */
const STRANGE = /[\s\p{Cc}\p{Cf}\\?#%]|(^|\/)\.{0,2}(\/|$)/u;

/** @throws RangeError when the prices make no sense, are none, or are in several currencies. */
export function createModels(prices: ModelPrices): Models {
  const table = createPriceTable(prices);
  const currencies = new Set(Object.values(prices).map(({ currency }) => currency));
  const [currency] = currencies;
  if (currency === undefined) throw new RangeError("prices must have an entry: a model without a price is not called");
  if (currencies.size > 1)
    throw new RangeError(`prices must be in one currency, not in ${[...currencies].join(" and ")}`);
  const folded = createPriceTable(
    Object.fromEntries(Object.entries(prices).map(([model, price]) => [model.toLowerCase(), price])),
  );
  return {
    currency,
    has: (key, model) => isPlain(model) && key.allows(model) && table.find([model]) !== undefined,
    priceFor(key, model) {
      if (!isPlain(model) || !key.allows(model)) throw modelNotFound(model, "does not exist, or is not this key's");
      const price = priceOf(model, table, folded);
      if (price === undefined) throw modelNotFound(model, "has no price here, so nothing could hold its cost to a cap");
      return price;
    },
  };
}

/**
 * A service may not tell upper case from lower: what only a pattern fits costs what its name would in lower case, if that
 * is more.
 */
function priceOf(model: string, table: PriceTable, folded: PriceTable): Price | undefined {
  const price = table.find([model]);
  if (price === undefined || Object.hasOwn(table.prices, model)) return price;
  const other = folded.find([model.toLowerCase()]);
  if (other === undefined) return price;
  return {
    currency: price.currency,
    costOf(usage) {
      const cost = price.costOf(usage);
      const otherCost = other.costOf(usage);
      return cost > otherCost ? cost : otherCost;
    },
  };
}

function isPlain(model: string): boolean {
  return model !== "" && model.length <= MAX_MODEL_LENGTH && model.isWellFormed() && !STRANGE.test(model);
}

/** 403 with the code that clients know: it is what a lease without the model would say, too. */
export function modelNotFound(model: string, why: string): GatewayError {
  const shown = model.length > MAX_MODEL_LENGTH ? `${model.slice(0, MAX_MODEL_LENGTH)}…` : model;
  return new GatewayError(403, "model_not_found", `the model ${JSON.stringify(shown)} ${why}`, { param: "model" });
}
