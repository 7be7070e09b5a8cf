/** What the admin API is asked for, read once: unknown fields are refused, since a bound that is overlooked is none. */
import { type Amount, formatAmount, parseAmount } from "../../kernel/authority/decimal.ts";
import { findPatternProblem } from "../../kernel/authority/patterns.ts";
import { CodedError } from "../../protocol/errors.ts";
import { invalidRequest } from "./openai-error.ts";

/** The bounds of a key, as far as they are to change. */
export interface KeyChange {
  readonly models?: readonly string[];
  readonly cap?: Amount;
  readonly expiresAt?: number | null;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export interface KeyRequest extends Required<KeyChange> {
  readonly alias: string;
  /** The request in one form, to tell whether another is the same. */
  readonly text: string;
}

const MAX_MODELS = 64;
const MAX_MODEL_LENGTH = 256;
/** Of metadata, as JSON. */
const MAX_METADATA_LENGTH = 4_096;
const ALIAS = /^(?!key_)[A-Za-z0-9][\w.:-]{0,199}$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;
const BOUNDS: readonly string[] = ["models", "cap", "expires_at", "metadata"];

type Fields = Readonly<Record<string, unknown>>;

/** @throws GatewayError 400 naming the field. */
export function readKeyRequest(body: unknown, now: number): KeyRequest {
  const fields = readFields(body, ["alias", ...BOUNDS]);
  const { alias } = fields;
  if (!isAlias(alias)) {
    throw invalidRequest("alias", "alias must be 1 to 200 letters, digits and . _ : -, and not begin with key_");
  }
  for (const name of ["models", "cap"]) {
    if (fields[name] === undefined) throw invalidRequest(name, `${name} is missing: a key has ${BOUNDS.join(", ")}`);
  }
  const { models = [], cap = 0n, expiresAt = null, metadata = {} } = readBounds(fields, now);
  const text = JSON.stringify([models, formatAmount(cap), expiresAt, metadata]);
  return { alias, models, cap, expiresAt, metadata, text };
}

/** @throws GatewayError 400 naming the field. */
export function readKeyChange(body: unknown, now: number): KeyChange {
  return readBounds(readFields(body, BOUNDS), now);
}

export function isAlias(value: unknown): value is string {
  return typeof value === "string" && ALIAS.test(value);
}

function readFields(body: unknown, known: readonly string[]): Fields {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw invalidRequest(null, "the body must be a JSON object");
  }
  const unknown = Object.keys(body).find((name) => !known.includes(name));
  if (unknown !== undefined) throw invalidRequest(unknown, `${unknown} is not known: there are ${known.join(", ")}`);
  return body as Fields;
}

function readBounds({ models, cap, expires_at, metadata }: Fields, now: number): KeyChange {
  return {
    ...(models === undefined ? {} : { models: readModels(models) }),
    ...(cap === undefined ? {} : { cap: readCap(cap) }),
    ...(expires_at === undefined ? {} : { expiresAt: readExpiry(expires_at, now) }),
    ...(metadata === undefined ? {} : { metadata: readMetadata(metadata) }),
  };
}

function readModels(models: unknown): readonly string[] {
  const isList = Array.isArray(models) && models.length > 0 && models.length <= MAX_MODELS;
  if (!isList) throw invalidRequest("models", `models must be a list of 1 to ${MAX_MODELS} models or patterns`);
  for (const model of models) {
    const isName = typeof model === "string" && model !== "" && model.length <= MAX_MODEL_LENGTH;
    if (!isName || findPatternProblem("model.use", model) !== undefined) {
      throw invalidRequest(
        "models",
        `models must be names of 1 to ${MAX_MODEL_LENGTH} characters, such as gpt-5-mini or gpt-5*`,
      );
    }
  }
  return models;
}

/** Text only: a number has been rounded before anybody could look at it. */
function readCap(cap: unknown): Amount {
  try {
    if (typeof cap === "string") return parseAmount(cap, "cap");
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
  }
  throw invalidRequest("cap", 'cap must be an amount as text that is not negative, such as "2.50"');
}

function readExpiry(value: unknown, now: number): number | null {
  if (value === null) return null;
  const instant = typeof value === "string" && INSTANT.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(instant))
    throw invalidRequest("expires_at", "expires_at must be a time such as 2026-05-13T23:42:00Z, or null");
  if (instant <= now) throw invalidRequest("expires_at", "expires_at must lie ahead");
  return instant;
}

function readMetadata(metadata: unknown): Fields {
  const isObject = typeof metadata === "object" && metadata !== null && !Array.isArray(metadata);
  if (isObject && JSON.stringify(metadata).length <= MAX_METADATA_LENGTH) return metadata as Fields;
  throw invalidRequest("metadata", `metadata must be an object of at most ${MAX_METADATA_LENGTH} characters of JSON`);
}
