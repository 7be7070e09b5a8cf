/**
 * Fields that several messages share, as schemas. A schema's message is the phrase that completes "must be …", so that
 * a refusal says what would be right. Refusals never repeat what was sent: it may be a token.
 */
import * as v from "valibot";

/** Longest id, name or key accepted, in UTF-16 code units. */
export const MAX_ID_LENGTH = 256;

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isId(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= MAX_ID_LENGTH;
}

/** Whole numbers from 0 that a JSON number carries exactly: positions, counts, sizes. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;

function isTimestamp(value: unknown): value is string {
  return typeof value === "string" && TIMESTAMP.test(value) && Number.isFinite(Date.parse(value));
}

/** An object with these fields; others are ignored, and left out. */
export function object<const Entries extends v.ObjectEntries>(entries: Entries) {
  return v.object(entries, "an object");
}

/** An optional field, in which `null` means absent: several clients write it so. */
export function maybe<const Schema extends v.GenericSchema>(schema: Schema) {
  return v.optional(
    v.pipe(
      v.nullable(schema),
      v.transform((value) => value ?? undefined),
    ),
  );
}

export const id = v.custom<string>(isId, `a non-empty string of at most ${MAX_ID_LENGTH} characters`);
export const text = v.string("a string");
export const flag = v.boolean("true or false");
export const count = v.custom<number>(isCount, "a whole number from 0");
export const position = v.custom<number>((value) => isCount(value) && value > 0, "a whole number from 1");
export const amount = v.custom<number>((value) => Number.isFinite(value), "a finite number");
export const amountFromZero = v.custom<number>(
  (value) => Number.isFinite(value) && (value as number) >= 0,
  "a finite number from 0",
);
export const timestamp = v.custom<string>(isTimestamp, "an ISO 8601 time such as 2026-05-13T19:30:00Z");
export const names = v.array(text, "a list of strings");
export const jsonObject = v.custom<JsonObject>(isJsonObject, "an object");

/** Currency → what a counter holds. For display: exact amounts stay in the runtime. */
export const counters = v.custom<Readonly<Record<string, number>>>(
  (value) => isJsonObject(value) && Object.values(value).every((held) => Number.isFinite(held)),
  "a map of currency to number",
);

/** Statuses of a job as they stand on the wire (§7.3). */
export const JOB_STATUSES = ["pending", "running", "success", "error", "cancelled", "timed_out"] as const;
export type WireJobStatus = (typeof JOB_STATUSES)[number];
export const jobStatus = v.picklist(JOB_STATUSES, `one of ${JOB_STATUSES.join(", ")}`);

/**
 * An error as it is read (§12). `code` is any string: another runtime may have codes of its own; `isErrorCode` tells.
 * A `retryable` left out is read as false.
 */
export const errorFields = {
  code: id,
  message: text,
  retryable: v.optional(flag, false),
  details: maybe(jsonObject),
} as const;
