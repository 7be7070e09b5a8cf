/**
 * The kinds of entry a job's log holds: the event kinds of §8.2, the two terminals, and vendor kinds (`x-`).
 * Each has a one-character code, so that a chunk of events can say what it holds without being parsed.
 */
import type { Feature } from "./features.ts";

interface EventKindEntry {
  /** Stored form; one ASCII letter, never changed once released. */
  readonly code: string;
  /** The message this entry becomes on the wire. */
  readonly message: "job.event" | "job.result" | "job.error";
  /** A session without this feature never sees the entry, and its `event_seq` has no gap for it. */
  readonly feature?: Feature;
}

export const EVENT_KINDS = {
  log: { code: "l", message: "job.event" },
  thought: { code: "t", message: "job.event" },
  tool_call: { code: "c", message: "job.event" },
  tool_result: { code: "r", message: "job.event" },
  status: { code: "s", message: "job.event" },
  metric: { code: "m", message: "job.event" },
  artifact_ref: { code: "a", message: "job.event" },
  delegate: { code: "d", message: "job.event" },
  progress: { code: "p", message: "job.event", feature: "progress" },
  result_chunk: { code: "k", message: "job.event", feature: "result_chunk" },
  /** Any `x-<vendor>.<name>` kind. */
  vendor: { code: "x", message: "job.event" },
  /** Terminal: the job succeeded. */
  result: { code: "R", message: "job.result" },
  /** Terminal: the job ended in any other way. */
  error: { code: "E", message: "job.error" },
} as const satisfies Record<string, EventKindEntry>;

/** Kinds an entry of a job's log can have. */
export type EntryKind = keyof typeof EVENT_KINDS;

/** Event kinds as they stand on the wire in `payload.kind`, vendor kinds aside. */
export type EventKind = Exclude<EntryKind, "vendor" | "result" | "error">;

const BY_CODE: ReadonlyMap<string, EventKindEntry> = new Map(
  Object.values(EVENT_KINDS).map((entry) => [entry.code, entry]),
);

/** The message type an entry with this code becomes on the wire. */
export function messageOfCode(code: string): EventKindEntry["message"] {
  return BY_CODE.get(code)?.message ?? "job.event";
}

/** The codes a session with these features never sees. */
export function hiddenCodes(features: readonly Feature[]): string {
  return [...BY_CODE.values()]
    .filter((entry) => entry.feature !== undefined && !features.includes(entry.feature))
    .map((entry) => entry.code)
    .join("");
}
