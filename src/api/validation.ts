/**
 * Checks requests against the schemas that are published for them. What does not fit, and what has no schema, is refused
 * by its name.
 */
import type { FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { invalidField } from "./api-error.ts";

/** The parts of a request as their fields are named in refusals. */
const PART_NAMES: Readonly<Record<string, string>> = { querystring: "query", params: "path" };
/** Names are the caller's: longer ones are cut, so that a refusal stays short. */
const MAX_NAME_SHOWN = 64;

export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart = "" }) => {
  const check = Compile(schema);
  const part = PART_NAMES[httpPart] ?? httpPart;
  return (sent: unknown) => {
    const value = httpPart === "body" ? sent : fromText(schema, sent as Readonly<Record<string, unknown>>);
    if (check.Check(value)) return { value };
    return { error: tooMuch(schema, value, part) ?? refusal(part, check.Errors(value)) };
  };
};

const TEXT_VALUES: Readonly<Record<string, (text: string) => unknown>> = {
  integer: (text) => (/^\d{1,15}$/.test(text) ? Number(text) : text),
  boolean: (text) => (/^(1|true)$/.test(text) ? true : /^(0|false)$/.test(text) ? false : text),
};

/** Parameters are text: those that are to be numbers or flags become so, where they are nothing else. */
function fromText(schema: TSchema, sent: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { properties = {} } = schema as { properties?: Readonly<Record<string, { readonly type?: string }>> };
  return Object.fromEntries(
    Object.entries(sent).map(([name, text]) => {
      const convert = Object.hasOwn(properties, name) ? TEXT_VALUES[properties[name]?.type ?? ""] : undefined;
      return [name, convert !== undefined && typeof text === "string" ? convert(text) : text];
    }),
  );
}

/** The parts of a schema that bound how many things there are. */
interface Bounds {
  readonly type?: string;
  readonly anyOf?: readonly Bounds[];
  readonly properties?: Readonly<Record<string, Bounds>>;
  readonly additionalProperties?: unknown;
  /** One pattern, which takes any name. */
  readonly patternProperties?: Readonly<Record<string, Bounds>>;
  readonly maxProperties?: number;
  readonly items?: Bounds;
  readonly maxItems?: number;
}

/**
 * What is not known by name, or is too many, is refused before anything else is looked for: the search for all that is
 * wrong goes through everything that was sent, and takes a second for a megabyte of it.
 */
function tooMuch(schema: Bounds, value: unknown, at: string): Error | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const type = Array.isArray(value) ? "array" : "object";
  const bounds = schema.anyOf?.find((branch) => branch.type === type) ?? schema;
  if (bounds.type !== type) return undefined;
  return Array.isArray(value)
    ? tooManyItems(bounds, value, at)
    : tooManyFields(bounds, value as Readonly<Record<string, unknown>>, at);
}

function tooManyItems({ items = {}, maxItems }: Bounds, value: readonly unknown[], at: string): Error | undefined {
  if (maxItems !== undefined && value.length > maxItems) {
    return invalidField(at, `must have at most ${maxItems} items`);
  }
  for (const [index, item] of value.entries()) {
    const problem = tooMuch(items, item, `${at}[${index}]`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function tooManyFields(
  { properties = {}, patternProperties = {}, maxProperties, additionalProperties }: Bounds,
  value: Readonly<Record<string, unknown>>,
  at: string,
): Error | undefined {
  const names = Object.keys(value);
  if (maxProperties !== undefined && names.length > maxProperties) {
    return invalidField(at, `must have at most ${maxProperties} entries`);
  }
  const [ofAnyName] = Object.values(patternProperties);
  for (const name of names) {
    const field = named(at, name);
    const bounds = Object.hasOwn(properties, name) ? properties[name] : ofAnyName;
    if (bounds === undefined && additionalProperties === false) return unknownField(field);
    const problem = tooMuch(bounds ?? {}, value[name], field);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function unknownField(field: string): Error {
  return invalidField(field, "is not known here: leave it out");
}

interface Issue {
  readonly keyword: string;
  /** A JSON pointer. */
  readonly instancePath: string;
  readonly message: string;
  readonly params: object;
}

function refusal(part: string, issues: readonly Issue[]): Error {
  // An unknown name says more than what else is wrong with the same object.
  const issue = issues.find(({ keyword }) => keyword === "additionalProperties") ?? issues[0];
  if (issue === undefined) return invalidField(part, "is not as it should be");
  const at = fieldOf(part, issue.instancePath);
  const params = issue.params as Readonly<Record<string, unknown>>;
  const { additionalProperties: unknown, requiredProperties: missing, allowedValues: allowed } = params;
  if (Array.isArray(unknown)) return unknownField(named(at, unknown[0]));
  if (Array.isArray(missing)) return invalidField(named(at, missing[0]), "is missing");
  if (Array.isArray(allowed)) return invalidField(at, `must be one of ${allowed.join(", ")}`);
  return invalidField(at, issue.message);
}

function named(parent: string, name: unknown): string {
  return `${parent}.${String(name).slice(0, MAX_NAME_SHOWN)}`;
}

function fieldOf(part: string, pointer: string): string {
  return pointer
    .split("/")
    .slice(1)
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~").slice(0, MAX_NAME_SHOWN))
    .reduce((field, key) => (/^\d+$/.test(key) ? `${field}[${key}]` : `${field}.${key}`), part);
}
