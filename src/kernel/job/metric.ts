/**
 * Metrics as they go on a log (§8.2), and which of them are money spent (§9.6). Worded here and nowhere else: what the
 * log says of a cost is what the counters were moved by, digit by digit.
 */
import { CodedError } from "../../protocol/errors.ts";
import { type Amount, formatAmount, parseAmount } from "../authority/decimal.ts";

export interface Metric {
  /** `cost.…` is money spent (§9.6): never negative. `cost.budget.…` is the runtime's own. */
  readonly name: string;
  /** Finite. A decimal as text, such as `"0.0234"`, goes on the log with exactly these digits. */
  readonly value: number | string;
  /** Of a cost, its currency. */
  readonly unit?: string | undefined;
  readonly dimensions?: Readonly<Record<string, string | number | boolean>> | undefined;
}

/**
 * The body of a `metric` event as JSON text.
 * @throws CodedError INVALID_REQUEST whose `details.field` names the field.
 */
export function metricBody({ name, value, unit, dimensions }: Metric): string {
  if (typeof name !== "string" || name === "") throw invalid("metric.name", "must be a string that is not empty");
  if (name.startsWith("cost.budget."))
    throw invalid("metric.name", `${name} is the runtime's: cost.budget.* is not for agents`);
  let body = `{"name":${JSON.stringify(name)},"value":${valueText(name, value)}`;
  if (unit !== undefined) {
    if (typeof unit !== "string") throw invalid("metric.unit", `must be a string, not ${typeof unit}`);
    body += `,"unit":${JSON.stringify(unit)}`;
  }
  if (dimensions !== undefined) body += `,"dimensions":${dimensionsText(dimensions)}`;
  return `${body}}`;
}

/** What the runtime says of a counter that moved (§9.6). */
export function remainingBody(currency: string, remaining: Amount): string {
  return `{"name":"cost.budget.remaining","value":${formatAmount(remaining)},"unit":${JSON.stringify(currency)}}`;
}

/** Whether a metric of this name reports money spent, in the currency that is its unit. */
export function isCost(name: string): boolean {
  return name.startsWith("cost.");
}

/** @throws CodedError INVALID_REQUEST for a name under which no cost can be reported. */
export function assertCostName(name: unknown, field: string): asserts name is string {
  if (typeof name === "string" && /^cost\../.test(name) && !name.startsWith("cost.budget.")) return;
  throw invalid(field, "must begin with cost. and not with cost.budget., which is the runtime's");
}

function valueText(name: string, value: number | string): string {
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw invalid("metric.value", "must be a finite number, or a decimal as text");
    if (value < 0 && isCost(name)) throw negative(name);
    return JSON.stringify(value);
  }
  if (typeof value !== "string") throw invalid("metric.value", "must be a finite number, or a decimal as text");
  if (!value.startsWith("-")) return formatAmount(parseAmount(value, "metric.value"));
  if (isCost(name)) throw negative(name);
  return `-${formatAmount(parseAmount(value.slice(1), "metric.value"))}`;
}

function dimensionsText(dimensions: NonNullable<Metric["dimensions"]>): string {
  if (typeof dimensions !== "object" || dimensions === null || Array.isArray(dimensions)) {
    throw invalid("metric.dimensions", "must be an object");
  }
  // Written out from what was checked: a getter or a `toJSON` may say something else the next time.
  const members = Object.entries(dimensions).map(([name, value]) => {
    const plain = typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
    if (!plain) throw invalid(`metric.dimensions.${name}`, "must be a string, a finite number or a boolean");
    return `${JSON.stringify(name)}:${JSON.stringify(value)}`;
  });
  return `{${members.join(",")}}`;
}

function negative(name: string): CodedError {
  return invalid("metric.value", `of ${name} must not be negative (§9.6)`);
}

function invalid(field: string, problem: string): CodedError {
  return new CodedError("INVALID_REQUEST", `${field} ${problem}`, { details: { field } });
}
