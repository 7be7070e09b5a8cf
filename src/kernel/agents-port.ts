/** What the kernel needs of agents: to find one, to check its input, to run it. `agents/` implements it. */
import type { EntryKind } from "../protocol/event-kinds.ts";
import type { Guard } from "./authority/guard.ts";
import type { ArtifactLabel } from "./job/artifacts.ts";
import type { JobRecord } from "./job/job-record.ts";
import type { ArtifactRow } from "./ports.ts";

export interface RunnableAgent {
  readonly name: string;
  readonly version: string;
  /** What becomes of the job when the runtime dies under it: one retryable error, or another attempt. */
  readonly restart: "never" | "always";
  /** How many of its jobs may run at a time in this runtime; further ones wait. Absent: as many as the runtime runs. */
  readonly maxConcurrent?: number;
  /**
   * Checks the input a client sent. Returns it as the agent wants it.
   * @throws CodedError INTERNAL_ERROR when 64 Mi characters wait for their commit, which room was not awaited for;
   * INVALID_REQUEST naming the field and what would be right.
   */
  parseInput(input: unknown): unknown | Promise<unknown>;
  /** Runs the agent function once. Rejects with whatever the agent threw; only a `CodedError` keeps its code. */
  run(host: JobHost, input: unknown): Promise<AgentReturn>;
}

/** A result given whole (JSON text; absent for `undefined`), or streamed before as `result_chunk` events. */
export type AgentReturn =
  | { readonly result?: string; readonly summary?: string }
  | { readonly stream: { readonly resultId: string; readonly size: number }; readonly summary?: string };

export interface AgentListing {
  readonly name: string;
  readonly versions: readonly string[];
  readonly default: string;
}

export interface Agents {
  /**
   * @param reference `name` or `name@version` (§7.5).
   * @throws CodedError INVALID_REQUEST, AGENT_NOT_AVAILABLE or AGENT_VERSION_NOT_AVAILABLE.
   */
  resolve(reference: string): RunnableAgent;
  list(): readonly AgentListing[];
}

/** What a running attempt may do to its job. Handed to the agent's context; dead once the job leaves `running`. */
export interface JobHost {
  readonly job: JobRecord;
  readonly attempt: number;
  /** Aborts when the job is stopped; its reason is a `CodedError`. */
  readonly signal: AbortSignal;
  readonly guard: Guard;
  /**
   * Puts an entry on the job's log. Returns at once while there is room in the job's buffer, else a promise of room:
   * emission waits for the buffer, not for the disk. After the job has left `running` nothing is recorded.
   * @param kind the entry's kind; `name` is the kind on the wire, which differs only for vendor kinds.
   * @param body the event's `body` as JSON text, without line breaks.
   * @throws CodedError INVALID_REQUEST when the entry is longer than `MAX_ENTRY_LENGTH`; the job's stop reason after a stop.
   */
  append(kind: EntryKind, name: string, body: string): Promise<void> | undefined;
  /** Resolves once everything appended so far is durable; rejects when the job has been stopped. */
  flush(): Promise<void>;
  /** What earlier attempts returned from `ctx.step`, by name: JSON text, or null for `undefined`. */
  readonly steps: ReadonlyMap<string, string | null>;
  /** Makes a step's value durable, together with everything appended so far. */
  recordStep(name: string, value: string | null): Promise<void>;
  /**
   * Keeps content beside the log, together with an `artifact_ref` event on it, whose body `tell` words as JSON text.
   * Resolves once both are durable.
   * @throws CodedError INTERNAL_ERROR beyond a limit or when it cannot be stored; the job's stop reason after a stop;
   * whatever `content` threw.
   */
  putArtifact(
    label: ArtifactLabel,
    content: AsyncIterable<Uint8Array>,
    tell: (row: ArtifactRow) => string,
  ): Promise<ArtifactRow>;
}
