/**
 * Puts decisions into the next commit. What is the same again within a minute is counted and told by one row when the
 * minute is over, and what was refused is told up to a number a minute: whoever asks in a loop, or knocks without a
 * token, fills no disk, and nothing allowed goes untold.
 */
import type { Log } from "../../platform/log.ts";
import type { Timer, World } from "../../platform/world.ts";
import type { GroupCommit } from "../log/group-commit.ts";
import type { PrincipalKey } from "../principal.ts";
import { AUDIT_REMOVED_AT_ONCE, type AuditRow, MAX_AUDIT_DETAILS } from "./audit-row.ts";

/** A decision to write down: `at` is filled in, and `details` become JSON text. */
export interface AuditedDecision extends Omit<AuditRow, "at" | "details"> {
  readonly details?: Readonly<Record<string, unknown>>;
  /** Tells those apart whom no principal tells apart, such as the address of who could not authenticate. */
  readonly source?: string;
}

/** Decisions that are the same within this time are one row and a count. */
export const AUDIT_MINUTE_MS = 60_000;
/** Refusals a minute that are told one by one, for each principal or source, and action; the others are counted. */
export const MAX_REFUSALS_TOLD = 60;
/** Refusals a minute that are told one by one when nobody knows who asked: of all sources together, some 6 MB a day. */
export const MAX_NAMELESS_REFUSALS_TOLD = 20;
/** How long decisions are kept. Older ones go as new ones come. */
export const AUDIT_KEPT_MS = 365 * 86_400_000;
/** Different decisions remembered within a minute; beyond, the minute ends early. */
const MAX_REMEMBERED = 10_000;
/** Job ids come from whoever asks: longer ones are cut. */
const MAX_JOB_LENGTH = 128;

/** Since the start of the process. */
export interface AuditCounts {
  /** Rows that are written. */
  readonly written: number;
  /** Decisions that were only counted into a row: repeated ones, and refusals beyond the number a minute. */
  readonly merged: number;
  /** Rows that the store failed to write. */
  readonly lost: number;
}

interface Repeated {
  readonly row: AuditRow;
  count: number;
}

export class AuditTrail {
  readonly #commits: GroupCommit;
  readonly #world: World;
  readonly #log: Log;
  /** What was decided in this minute, and how often since it was told. */
  #decided = new Map<string, Repeated>();
  /** Refusals told in this minute, by who was refused what. */
  #refusals = new Map<string, number>();
  /** One row for each kind of refusal that was too many. */
  #untold = new Map<string, Repeated>();
  #minute: Timer | undefined;
  #closed = false;
  /** Rows written in this minute: at least as many old ones go when it is over. */
  #written = 0;
  readonly #keptMs: number;
  readonly #counts = { written: 0, merged: 0, lost: 0 };

  /** @param options.keptMs how long decisions are kept; default: `AUDIT_KEPT_MS`. */
  constructor(options: { commits: GroupCommit; world: World; log: Log; keptMs?: number }) {
    this.#commits = options.commits;
    this.#world = options.world;
    this.#log = options.log;
    this.#keptMs = options.keptMs ?? AUDIT_KEPT_MS;
  }

  get counts(): AuditCounts {
    return this.#counts;
  }

  /** Never throws and waits for nothing: rows planned in the same turn are committed together with this one. */
  add(decision: AuditedDecision): void {
    const { source, details = {}, job, ...fields } = decision;
    const named = source === undefined ? details : { ...details, source };
    const row: AuditRow = {
      ...fields,
      at: this.#world.clock.now(),
      job: job === null ? null : job.slice(0, MAX_JOB_LENGTH),
      details: detailsText(named),
    };
    if (this.#closed) return;
    this.#minute ??= this.#world.timers.after(AUDIT_MINUTE_MS, () => this.flush());
    const who = row.principal ?? `?${source ?? ""}`;
    const same = JSON.stringify([who, row.action, row.job, row.allowed, row.details]);
    const earlier = this.#decided.get(same);
    if (earlier !== undefined) {
      earlier.count++;
      this.#counts.merged++;
      return;
    }
    if (!row.allowed && !this.#mayTell(row, who)) return;
    this.#decided.set(same, { row, count: 0 });
    this.#write([row]);
    if (this.#decided.size >= MAX_REMEMBERED) this.flush();
  }

  /** Flushes; what is decided from now on has no store to be written to. */
  close(): void {
    this.flush();
    this.#closed = true;
  }

  /** Ends the minute, if there is one: what was only counted is told, and what is old goes. */
  flush(): void {
    if (this.#minute === undefined) return;
    this.#minute.cancel();
    this.#minute = undefined;
    const counted = [...this.#decided.values(), ...this.#untold.values()].filter(({ count }) => count > 0);
    this.#decided = new Map();
    this.#refusals = new Map();
    this.#untold = new Map();
    const at = this.#world.clock.now();
    const told = counted.map(({ row, count }) => ({ ...row, at, details: withCount(row.details, count) }));
    const removals = 1 + Math.floor((this.#written + told.length) / AUDIT_REMOVED_AT_ONCE);
    this.#write(told, Array<number>(removals).fill(at - this.#keptMs));
    this.#written = 0;
  }

  /** False for a refusal that is counted only. */
  #mayTell(row: AuditRow, who: PrincipalKey): boolean {
    const nameless = row.principal === null;
    const bucket = `${row.action} ${nameless ? "?" : who}`;
    const told = this.#refusals.get(bucket) ?? 0;
    if (told < (nameless ? MAX_NAMELESS_REFUSALS_TOLD : MAX_REFUSALS_TOLD)) {
      this.#refusals.set(bucket, told + 1);
      return true;
    }
    this.#counts.merged++;
    const untold = this.#untold.get(bucket);
    if (untold === undefined) {
      this.#untold.set(bucket, { row: { ...row, job: null, owner: null, details: '{"others":true}' }, count: 1 });
    } else untold.count++;
    return false;
  }

  #write(audit: readonly AuditRow[], auditCutoffs: readonly number[] = []): void {
    this.#written += audit.length;
    this.#commits.plan(() => ({
      rows: { audit, auditCutoffs },
      committed: () => {
        this.#counts.written += audit.length;
      },
      failed: (error) => {
        this.#counts.lost += audit.length;
        this.#log.error({ err: error, decisions: audit.length }, "decisions could not be audited");
      },
    }));
  }
}

function detailsText(details: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(details);
  return text.length <= MAX_AUDIT_DETAILS ? text : `{"left_out":"details of ${text.length} characters"}`;
}

/** Details are the text of an object. */
function withCount(details: string, repeated: number): string {
  return `${details.slice(0, -1)}${details === "{}" ? "" : ","}"repeated":${repeated}}`;
}
