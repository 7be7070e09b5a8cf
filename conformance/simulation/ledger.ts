/** What the store has acknowledged, kept apart from it: what may be seen, and what must be there after a crash. */
import type { JobRecord } from "../../src/kernel/job/job-record.ts";
import { isTerminal } from "../../src/kernel/job/job-state.ts";
import type { Chunk, Rows, Store } from "../../src/kernel/ports.ts";
import { EVENT_KINDS } from "../../src/protocol/event-kinds.ts";
import { Accounts } from "./accounts.ts";
import { checkWithinParent } from "./authority.ts";
import type { Judge } from "./laws.ts";
import { MAX_AGE_SEC } from "./limits.ts";
import { layerStore } from "./store-layer.ts";

/** One job's log, and what of the job never changes or only ends. */
export interface KeptJob {
  record: JobRecord;
  /** JSON text. */
  input: string;
  kinds: string;
  readonly payloads: string[];
  readonly steps: Map<string, string | null>;
}

/** More than any run has. */
const ALL = 1_000_000;
/** Until the job of an expired lease must have ended. */
const EXPIRED_MS = 2_000;
/** What only an agent puts on its log. */
const BY_AGENT = new RegExp(`[${EVENT_KINDS.log.code}${EVENT_KINDS.thought.code}${EVENT_KINDS.tool_call.code}]`);

export class Ledger {
  readonly #judge: Judge;
  readonly #now: () => number;
  readonly jobs = new Map<string, KeptJob>();
  readonly accounts: Accounts;
  /** Whose each job is, or was. */
  readonly owners = new Map<string, string>();
  /** Jobs whose history is gone. */
  readonly removed = new Set<string>();
  /** Asked before a job's history may go: who still waits for something of it. */
  whoNeeds: (job: string) => string | undefined = () => undefined;
  /** The highest place of each session that is not over. */
  readonly places = new Map<string, number>();

  /** Frames that are no entries of a log, by session and place. */
  readonly frames = new Map<string, string>();

  constructor(judge: Judge, now: () => number) {
    this.#judge = judge;
    this.#now = now;
    this.accounts = new Accounts(judge);
  }

  /** A store that enters here what `inner` acknowledges, before its caller hears of it. */
  around(inner: Store): Store {
    return layerStore(inner, {
      commit: async (batch, forward) => {
        const outcome = await forward(batch);
        if (outcome.committed) this.#enter(batch.rows);
        return outcome;
      },
    });
  }

  /** Some of these trees may have been removed from the store. */
  async enterRemoved(roots: readonly string[], store: Pick<Store, "readJob">): Promise<void> {
    for (const root of roots) if ((await store.readJob(root)) === undefined) this.#removeTree(root);
  }

  /** Whether the entry and its place in the session's stream were acknowledged, with this payload. */
  holds(session: string, eventSeq: number, job: string, jobSeq: number, frameText: string): boolean {
    const payload = this.jobs.get(job)?.payloads[jobSeq - 1];
    const placed = (this.places.get(session) ?? 0) >= eventSeq;
    if (!placed || payload === undefined) return false;
    return frameText.endsWith(`"payload":${payload}}`) || this.#isAssembled(job, payload, frameText);
  }

  /** Whether the frame has a streamed result whole, and all else of its terminal as it is on the log. */
  #isAssembled(job: string, terminal: string, frameText: string): boolean {
    const { result_id: resultId, ...told } = JSON.parse(terminal) as Record<string, unknown>;
    if (resultId === undefined) return false;
    const { payloads = [], kinds = "" } = this.jobs.get(job) ?? {};
    const result = payloads
      .filter((_, index) => kinds.charAt(index) === EVENT_KINDS.result_chunk.code)
      .map((payload) => (JSON.parse(payload) as { body: { result_id: string; data: string } }).body)
      .reduce((text, body) => (body.result_id === resultId ? text + body.data : text), "");
    const whole = JSON.stringify({ ...told, result_encoding: "utf8", result });
    return frameText.endsWith(`"payload":${whole}}`);
  }

  /** Holds a store that was begun from a crash image against what was acknowledged, and takes over what it has more. */
  async compareWith(store: Store, principals: readonly string[]): Promise<void> {
    for (const session of [...this.places.keys()]) await this.#compareSession(store, session);
    const found = new Map<string, JobRecord>();
    for (const principal of principals) {
      for (const record of (await store.listJobs({ principals: [principal], limit: ALL })).jobs) {
        found.set(record.id, record);
        await this.#compareJob(store, record);
      }
    }
    for (const [id, { record }] of [...this.jobs]) {
      // Removed in the last moment of a life, which heard no more of it.
      if (!found.has(id) && record.root === id) this.#removeTree(id);
    }
    for (const id of this.jobs.keys()) if (!found.has(id)) this.#judge.report("history-is-kept", `${id} is gone`);
    await this.accounts.readFrom(store, [...found.values()], (id) => this.#logOf(id));
  }

  /** The job's whole log as one chunk. */
  #logOf(job: string): Chunk {
    const { kinds = "", payloads = [] } = this.jobs.get(job) ?? {};
    return { job, firstSeq: 1, kinds, payloads };
  }

  #removeTree(root: string): void {
    if (!this.jobs.has(root)) return;
    // Children first: how old they are says their root.
    for (const id of [...this.accounts.subtree(root)].toReversed()) this.#remove(id);
  }

  /** Whether a job's history is old enough to go; that goes by the end of its tree. */
  mayGo(id: string): boolean {
    const { record } = this.jobs.get(id) ?? {};
    const { endedAt = null } = this.jobs.get(record?.root ?? id)?.record ?? {};
    return (
      record !== undefined && isTerminal(record.status) && this.#now() - MAX_AGE_SEC * 1_000 >= (endedAt ?? Infinity)
    );
  }

  #remove(id: string): void {
    const { record } = this.jobs.get(id) ?? {};
    if (record === undefined) return;
    if (!this.mayGo(id)) this.#judge.report("history-is-kept", `${id}, which is ${record.status}, is gone`);
    const waiting = this.whoNeeds(id);
    if (waiting !== undefined) this.#judge.report("history-is-kept", `${id} is gone, and ${waiting} waits for it`);
    this.jobs.delete(id);
    this.accounts.remove(id);
    this.removed.add(id);
  }

  #enter(rows: Partial<Rows>): void {
    for (const record of rows.jobs ?? []) this.#accept(record);
    for (const { job: id, text } of rows.inputs ?? []) {
      const job = this.jobs.get(id);
      if (job !== undefined) job.input = text;
    }
    for (const update of rows.jobUpdates ?? []) {
      const job = this.jobs.get(update.id);
      if (job !== undefined) job.record = { ...job.record, ...update };
    }
    for (const chunk of rows.chunks ?? []) this.#append(chunk);
    for (const { id } of rows.jobUpdates ?? []) this.#checkTree(id);
    for (const { parent } of rows.jobs ?? []) if (parent !== null) this.#checkTree(parent);
    this.accounts.enter(rows, (job) => this.jobs.get(job)?.record);
    for (const { job, name, value } of rows.steps ?? []) this.jobs.get(job)?.steps.set(name, value);
    for (const { id } of rows.sessions ?? []) if (!this.places.has(id)) this.places.set(id, 0);
    for (const { session, lastEventSeq, frame } of rows.segments ?? []) {
      this.places.set(session, lastEventSeq);
      if (frame !== undefined) this.frames.set(`${session} ${lastEventSeq}`, frame);
    }
    for (const session of rows.endedSessions ?? []) this.places.delete(session);
  }

  #accept(record: JobRecord): void {
    this.#add(record);
    this.accounts.add(record);
    if (record.parent === null) return;
    const parent = this.jobs.get(record.parent)?.record;
    if (parent === undefined) this.#judge.report("tree-ends-together", `${record.id} is without its parent`);
    else checkWithinParent(record, parent, this.#judge);
  }

  /** Below a job that has ended nothing is alive. */
  #checkTree(job: string): void {
    const { record } = this.jobs.get(job) ?? {};
    if (record === undefined || !isTerminal(record.status)) return;
    for (const below of this.accounts.subtree(job)) {
      const status = this.jobs.get(below)?.record.status;
      if (status !== undefined && !isTerminal(status))
        this.#judge.report("tree-ends-together", `${job} is ${record.status}, and ${below} below it is ${status}`);
    }
  }

  #add(record: JobRecord): KeptJob {
    const job: KeptJob = { record, input: "", kinds: "", payloads: [], steps: new Map() };
    this.jobs.set(record.id, job);
    this.owners.set(record.id, record.principal);
    // A removal whose step was never acknowledged may be taken back by a crash.
    this.removed.delete(record.id);
    return job;
  }

  #append({ job: id, firstSeq, kinds, payloads }: Chunk): void {
    const job = this.jobs.get(id);
    if (job === undefined || job.payloads.length + 1 !== firstSeq) {
      return this.#judge.report(
        "job-order",
        `${id}: a chunk from ${firstSeq} follows ${job?.payloads.length ?? 0} entries`,
      );
    }
    if (/[RE]/.test(job.kinds)) this.#judge.report("one-terminal", `${id}: entry ${firstSeq} follows the terminal`);
    job.kinds += kinds;
    job.payloads.push(...payloads);
    const { expiresAt } = job.record;
    if (expiresAt !== null) this.#checkExpired(job.record, kinds, payloads, expiresAt + EXPIRED_MS);
  }

  #checkExpired({ id }: JobRecord, kinds: string, payloads: readonly string[], latest: number): void {
    for (const [index, payload] of payloads.entries()) {
      if (!BY_AGENT.test(kinds.charAt(index))) continue;
      const { ts } = JSON.parse(payload) as { ts: string };
      if (Date.parse(ts) > latest)
        this.#judge.report("expired-jobs-end", `${id}, which ended long ago, has ${payload}`);
    }
  }

  async #compareSession(store: Store, id: string): Promise<void> {
    const stored = await store.readSession(id);
    const placed = this.places.get(id) ?? 0;
    // A commit that was never acknowledged may have ended a session; never one that was just being read.
    if (stored === undefined) this.places.delete(id);
    else if (stored.head < placed)
      this.#judge.report("no-event-lost", `${id}: places ${stored.head + 1} to ${placed} are gone`);
    else {
      this.places.set(id, stored.head);
      for (const { lastEventSeq, frame } of await store.readSegments(id, 0, ALL)) {
        if (frame !== undefined) this.frames.set(`${id} ${lastEventSeq}`, frame);
      }
    }
  }

  async #compareJob(store: Store, record: JobRecord): Promise<void> {
    const job = this.jobs.get(record.id) ?? this.#add(record);
    const chunks = await readLog(store, record.id);
    const payloads = chunks.flatMap((chunk) => chunk.payloads);
    const lost = job.payloads.findIndex((payload, index) => payloads[index] !== payload);
    if (lost >= 0)
      this.#judge.report("no-event-lost", `${record.id}: entry ${lost + 1} of ${job.payloads.length} is gone`);
    if (isTerminal(job.record.status) && record.status !== job.record.status) {
      this.#judge.report("no-event-lost", `${record.id} was ${job.record.status} and is ${record.status}`);
    }
    const input = await store.readInput(record.id);
    if (job.input !== "" && job.input !== input) this.#judge.report("no-event-lost", `${record.id}: its input is gone`);
    job.record = record;
    job.input = input ?? "";
    job.kinds = chunks.map((chunk) => chunk.kinds).join("");
    job.payloads.splice(0, Number.POSITIVE_INFINITY, ...payloads);
    const steps = new Map((await store.readSteps(record.id)).map(({ name, value }) => [name, value]));
    for (const [name, value] of job.steps) {
      if (steps.get(name) !== value)
        this.#judge.report("no-event-lost", `${record.id}: the value of step ${name} is gone`);
    }
    for (const [name, value] of steps) job.steps.set(name, value);
  }
}

async function readLog(store: Store, job: string): Promise<Chunk[]> {
  const log: Chunk[] = [];
  for (let after = 0; ; ) {
    const page = await store.readChunks({ job, after, limit: ALL });
    const last = page.at(-1);
    if (last === undefined) return log;
    log.push(...page);
    after = last.firstSeq + last.payloads.length - 1;
  }
}
