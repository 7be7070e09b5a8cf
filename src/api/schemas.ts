/** Shapes that several routes share, in requests and answers, as they are published in the OpenAPI document. */
import type { Readable } from "node:stream";
import Type from "typebox";

/** Statuses as ARCP has them (§7.3): what is being wound down still runs, as far as anyone can see. */
export const JOB_STATUSES = ["pending", "running", "success", "error", "cancelled", "timed_out"] as const;
export type ApiJobStatus = (typeof JOB_STATUSES)[number];

/** Longest id, name or reference a caller may send, in characters. */
const MAX_NAME = 256;

export const Name = Type.String({ minLength: 1, maxLength: MAX_NAME });
/** As it is answered. */
export const Time = Type.String({ description: "ISO 8601 in UTC, such as 2026-05-13T19:30:00.000Z" });
/** As it is asked for. */
export const TimeQuery = Type.String({
  pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d(:\\d\\d(\\.\\d{1,9})?)?(Z|[+-]\\d\\d:\\d\\d)$",
  description: "ISO 8601 with an offset, such as 2026-05-13T19:30:00Z; write the plus sign of an offset as %2B",
});

export const JobStatus = Type.Enum(JOB_STATUSES);

/** Bytes as they are, with a content type of their own. */
export const Bytes = Type.Unsafe<Readable | Buffer>({ type: "string", format: "binary" });
/** An answer without a body. */
export const Nothing = Type.Unsafe<undefined>({ type: "null" });

export const JobParams = Type.Object({ job_id: Name }, { additionalProperties: false });

/** Of routes that take no parameters: what is sent all the same is refused by its name. */
export const NoQuery = Type.Object({}, { additionalProperties: false });

export const ErrorFields = Type.Object({
  code: Type.String({ description: "one of the codes of docs/errors.md" }),
  message: Type.String(),
  retryable: Type.Boolean({ description: "whether the same request can succeed later" }),
  details: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});

export const ErrorAnswer = Type.Object({
  error: Type.Object({ ...ErrorFields.properties, request_id: Type.String() }),
});

/** A page of `items`; every listing has this form. */
export const NextCursor = Type.Optional(
  Type.String({ description: "pass it as cursor for the next page; absent after the last. Good until a restart" }),
);
export const CursorQuery = Type.Optional(
  Type.String({ maxLength: 128, description: "next_cursor of the page before, with the same filters" }),
);
