/**
 * The body of a call: what it asks for, the most it can use, and what is sent on. What goes upstream is written anew from
 * what was checked here, so a field that is given twice means there what it means here.
 */
import type { Endpoint } from "./endpoints.ts";
import { findJsonProblem } from "./json-bounds.ts";
import { invalidRequest } from "./openai-error.ts";
import { measurePrompt } from "./prompt.ts";

export interface CallSettings {
  /** The most that a call writes which does not say. */
  readonly defaultOutputTokens: number;
  /** The field that bounds a chat completion which does not say. */
  readonly outputLimitField: "max_completion_tokens" | "max_tokens";
  /** What a picture counts for before it is known. */
  readonly imageTokens: number;
  /** Fields beyond those of the endpoints. */
  readonly allowedFields: ReadonlySet<string>;
}

export interface Call {
  readonly model: string;
  readonly stream: boolean;
  /** The client asked for the usage of a stream, or the answer has it anyway. */
  readonly showsUsage: boolean;
  /** No call uses more input tokens, and none writes more than it is let. */
  readonly most: { readonly input: number; readonly output: number };
  /** As it goes upstream. */
  readonly body: Buffer;
}

/** Answers that a chat completion may be asked for at once. */
const MAX_CHOICES = 128;
const MAX_OUTPUT_TOKENS = 10_000_000;
/** What a model's own template may put around a prompt. */
const TEMPLATE_TOKENS = 256;
/** Tiers at the usual price or below. */
const SERVICE_TIERS: readonly unknown[] = ["auto", "default", "flex"];
/** Tools that run where the client is. Those of the service cost what no token counts. */
const TOOL_TYPES: readonly unknown[] = ["function", "custom"];

type Fields = Record<string, unknown>;

/** @throws GatewayError 400 naming the field. */
export function readCall(endpoint: Endpoint, bytes: Buffer, settings: CallSettings): Call {
  const fields = withoutNulls(readObject(bytes));
  const unknown = Object.keys(fields).find((name) => !endpoint.fields.has(name) && !settings.allowedFields.has(name));
  if (unknown !== undefined)
    throw invalidRequest(unknown, `${unknown} is not let through: the gateway cannot account for it`);
  const { model } = fields;
  if (typeof model !== "string" || model === "") throw invalidRequest("model", "model must be the name of a model");
  checkServices(fields);
  const prompt = measurePrompt(endpoint.prompt, fields[endpoint.prompt]);
  const stream = readFlag(fields, "stream");
  const output = boundOutput(endpoint, fields, settings);
  const showsUsage = !stream || askForUsage(endpoint, fields);
  const body = Buffer.from(JSON.stringify(fields));
  // No token stands for less than a byte.
  const input = body.length - prompt.imageBytes + prompt.images * settings.imageTokens + TEMPLATE_TOKENS;
  return { model, stream, showsUsage, most: { input, output }, body };
}

function readObject(bytes: Buffer): Fields {
  const problem = findJsonProblem(bytes);
  if (problem !== undefined) throw invalidRequest(null, `the body ${problem}`);
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw invalidRequest(null, "the body is not JSON");
  }
  if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as Fields;
  throw invalidRequest(null, "the body must be a JSON object");
}

/** A field that is null says nothing, and is not sent on. */
function withoutNulls(body: Fields): Fields {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
}

function checkServices({ service_tier, modalities, tools }: Fields): void {
  if (service_tier !== undefined && !SERVICE_TIERS.includes(service_tier)) {
    throw invalidRequest("service_tier", "service_tier must be auto, default or flex: others have prices of their own");
  }
  if (modalities !== undefined && JSON.stringify(modalities) !== '["text"]') {
    throw invalidRequest("modalities", 'modalities must be ["text"]: others have prices of their own');
  }
  if (tools === undefined) return;
  const isOurs = (tool: unknown): boolean => TOOL_TYPES.includes((tool as Fields | null)?.type);
  if (!Array.isArray(tools) || !tools.every(isOurs)) {
    throw invalidRequest(
      "tools",
      "tools must be of type function or custom: those of the service cost what no token counts",
    );
  }
}

/** Sets a bound where there is none. @returns the most output tokens of all answers together. */
function boundOutput({ outputLimits }: Endpoint, fields: Fields, settings: CallSettings): number {
  if (outputLimits.length === 0) return 0;
  const choices = readCount(fields, "n", MAX_CHOICES) ?? 1;
  const given = outputLimits.map((name) => readCount(fields, name, MAX_OUTPUT_TOKENS) ?? 0);
  const most = Math.max(...given);
  if (most > 0) return most * choices;
  const name = outputLimits.includes(settings.outputLimitField) ? settings.outputLimitField : outputLimits[0];
  fields[name as string] = settings.defaultOutputTokens;
  return settings.defaultOutputTokens * choices;
}

/** @returns whether the client asked by itself, or would be told anyway. */
function askForUsage({ asksForUsage }: Endpoint, fields: Fields): boolean {
  const options = fields.stream_options ?? {};
  if (typeof options !== "object" || Array.isArray(options)) {
    throw invalidRequest("stream_options", "stream_options must be an object");
  }
  if (!asksForUsage) return true;
  const asked = readFlag(options as Fields, "include_usage");
  fields.stream_options = { ...options, include_usage: true };
  return asked;
}

function readFlag(fields: Fields, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value === "boolean") return value;
  throw invalidRequest(name, `${name} must be true or false`);
}

function readCount(fields: Fields, name: string, most: number): number | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most) return value as number;
  throw invalidRequest(name, `${name} must be a whole number from 1 to ${most}`);
}
