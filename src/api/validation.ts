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
    return check.Check(value) ? { value } : { error: refusal(part, check.Errors(value)) };
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
  if (Array.isArray(unknown)) return invalidField(named(at, unknown[0]), "is not known here: leave it out");
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
