/**
 * What a vendor's SDK throws when money or quota upstream has run out, told from everything else it throws (§9.6). Vendors
 * agree on nothing: one says so in a code, another in a type, a third in a status; gateways and SDKs wrap it again. So
 * everything an error carries is looked at, as deep as it goes, and only what can mean nothing else counts: a rate limit
 * is not a budget.
 */
import { CodedError } from "../protocol/errors.ts";

/** `code` or `type` of an error body. */
const EXHAUSTED_CODES: ReadonlySet<string> = new Set([
  // OpenAI and those who speak its protocol.
  "insufficient_quota",
  "billing_hard_limit_reached",
  "billing_not_active",
  // Anthropic.
  "billing_error",
  // LiteLLM.
  "budget_exceeded",
  // OpenRouter and other resellers.
  "insufficient_credits",
  "insufficient_balance",
  "insufficient_funds",
  "payment_required",
  "402",
]);

const PAYMENT_REQUIRED = 402;

/** For those who say it in words only, under a code that means anything: Anthropic's 400s, and LiteLLM's before it had a type. */
const EXHAUSTED_MESSAGES: readonly RegExp[] = [
  /\bcredit balance is too low\b/i,
  /\byou have reached your specified API usage limits\b/i,
  /\bbudget has been exceeded\b/i,
  /\bExceededBudget\b/,
];

/** Where errors keep the errors, bodies and responses they were made from. */
const INNER_FIELDS = ["cause", "lastError", "error", "data", "body", "responseBody", "response", "metadata", "raw"];

/** Bounds on the search, so that nothing an upstream sends takes long. */
const MAX_LOOKED_AT = 64;
const MAX_ERRORS_IN_LIST = 8;
const MAX_BODY_LENGTH = 65_536;
const MAX_MESSAGE_LENGTH = 512;

interface Finding {
  readonly status?: number;
  readonly code?: string;
  readonly message?: string;
}

/**
 * @param error whatever was thrown, or came as the error of a stream.
 * @returns BUDGET_EXHAUSTED with details `{ upstream: { status?, code?, message? } }` as the vendor told them, and `error`
 * as its cause; undefined for anything else. What is BUDGET_EXHAUSTED already comes back as it is.
 */
export function translateUpstreamBudgetExhausted(error: unknown): CodedError | undefined {
  if (error instanceof CodedError && error.code === "BUDGET_EXHAUSTED") return error;
  const found = findExhaustion(error);
  if (found === undefined) return undefined;
  const told = found.message ?? found.code ?? `status ${found.status}`;
  return new CodedError("BUDGET_EXHAUSTED", `the upstream has no money or quota left for this: ${told}`, {
    details: { upstream: found },
    cause: error,
  });
}

function findExhaustion(error: unknown): Finding | undefined {
  const pending: unknown[] = [error];
  const seen = new Set<unknown>();
  for (const each of pending) {
    if (seen.has(each) || seen.size >= MAX_LOOKED_AT) continue;
    seen.add(each);
    const found = typeof each === "string" ? readText(each) : each;
    if (typeof found !== "object" || found === null) {
      if (typeof found === "string" && isTelling(found)) return { message: clip(found) };
      continue;
    }
    if (found instanceof CodedError && found.code === "BUDGET_EXHAUSTED") return { message: clip(found.message) };
    const finding = readFinding(found);
    if (finding !== undefined) return finding;
    for (const field of INNER_FIELDS) {
      const inner = read(found, field);
      if (inner !== undefined && inner !== null) pending.push(inner);
    }
    // Of several tries the last one tells; it comes by itself where there is one.
    const errors = Array.isArray(found) ? found : read(found, "errors");
    if (Array.isArray(errors)) pending.push(...errors.slice(-MAX_ERRORS_IN_LIST));
  }
  return undefined;
}

function readFinding(error: object): Finding | undefined {
  const status = [read(error, "status"), read(error, "statusCode"), read(error, "code")].find(
    (value) => typeof value === "number",
  );
  const code = [read(error, "code"), read(error, "type"), read(error, "name")].find(
    (value) => typeof value === "string" && EXHAUSTED_CODES.has(value),
  );
  const message = read(error, "message");
  const told = typeof message === "string" ? message : undefined;
  if (status !== PAYMENT_REQUIRED && code === undefined && !(told !== undefined && isTelling(told))) return undefined;
  return {
    ...(typeof status === "number" && { status }),
    ...(typeof code === "string" && { code }),
    ...(told !== undefined && { message: clip(told) }),
  };
}

function isTelling(message: string): boolean {
  const looked = message.slice(0, MAX_BODY_LENGTH);
  return EXHAUSTED_MESSAGES.some((pattern) => pattern.test(looked));
}

/** A body that was not parsed; other text as it is. */
function readText(text: string): unknown {
  if (text.length > MAX_BODY_LENGTH || !/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Errors are strangers' objects: what cannot be read is not there. */
function read(from: object, field: string): unknown {
  try {
    return (from as Readonly<Record<string, unknown>>)[field];
  } catch {
    return undefined;
  }
}

function clip(message: string): string {
  return message.length <= MAX_MESSAGE_LENGTH ? message : `${message.slice(0, MAX_MESSAGE_LENGTH - 1)}…`;
}
