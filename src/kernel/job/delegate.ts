/**
 * Delegating (§10): a running attempt starts jobs under part of its lease. The child's row and start, the `delegate`
 * event, the money held and the key that finds the child again are one commit.
 */
import type { World } from "../../platform/world.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { Agents, DelegatedJob, DelegateRequest, RunnableAgent } from "../agents-port.ts";
import type { Guard } from "../authority/guard.ts";
import { type Lease, leaseOf } from "../authority/lease.ts";
import { Purse } from "../authority/purse.ts";
import { deriveLease } from "../authority/sub-lease.ts";
import type { JobId } from "../ids.ts";
import type { HoldRow, Store } from "../ports.ts";
import type { ActiveJob } from "./active-job.ts";
import { readChildOutcome } from "./child-outcome.ts";
import { assertRoomBelow, type DelegationLimits } from "./delegation.ts";
import { digestOf } from "./digest.ts";
import { agentReference, type JobRecord } from "./job-record.ts";
import { INITIAL_STATE, type Outcome } from "./job-state.ts";
import type { JobTable } from "./job-table.ts";
import { ancestorsOf } from "./job-tree.ts";
import { assertNeeds } from "./needs.ts";
import { assertKey, assertRuntime, textOf } from "./submission-checks.ts";

/** Longest input of a child, in UTF-16 units of JSON: about what a client's frame could hold. */
const MAX_INPUT_LENGTH = 1_048_576;
/** Delegations of one job in all, each of which leaves a row until the job's history goes. Further ones are refused. */
const MAX_DELEGATIONS = 10_000;
/** Longest input that is repeated in the `delegate` event, in UTF-16 units of JSON; the child has it whole in any case. */
const MAX_INPUT_TOLD = 65_536;
/** Longest reason for which a child is cancelled, in UTF-16 units: it goes on the child's log. */
const MAX_REASON_LENGTH = 16_384;

export interface DelegationParts {
  readonly agents: Agents;
  readonly store: Store;
  readonly world: World;
  readonly table: JobTable;
  readonly limits: DelegationLimits;
  /** See `GuardOptions`. */
  readonly requireModelUse: boolean | undefined;
  /** See `RunSlots.waitsInRing`. */
  waitsInRing(agent: RunnableAgent, above: readonly JobId[]): boolean;
  /** Takes charge of a child, and starts it. */
  run(job: ActiveJob, agent: RunnableAgent, input: unknown): void;
  end(job: ActiveJob, outcome: Outcome): void;
}

/** What one attempt delegates with. */
export interface Delegator {
  readonly job: ActiveJob;
  readonly guard: Guard;
  /** Aborts when the attempt is shut out, or its lease has expired. */
  readonly signal: AbortSignal;
  /** Puts the `delegate` event on the parent's log. */
  tell(body: string): void;
  /** @throws the stop reason once the attempt is shut out. */
  assertRunning(): void;
}

/** A delegation that is made, or about to be. */
interface Known {
  readonly digest: string;
  readonly child: () => Promise<DelegatedJob>;
}

export class Delegations {
  readonly #parts: DelegationParts;
  readonly #delegator: Delegator;
  readonly #known = new Map<string, Known>();
  /** How many there were without a key of their own, by digest. */
  readonly #ordinals = new Map<string, number>();

  constructor(parts: DelegationParts, delegator: Delegator) {
    this.#parts = parts;
    this.#delegator = delegator;
    for (const { kind, key, digest, child, id } of delegator.job.earlierHolds) {
      if (kind === "child" && child !== null) this.#known.set(key, { digest, child: () => this.#find(id, child) });
    }
  }

  /** See `JobHost.delegate`. */
  delegate(request: DelegateRequest): Promise<DelegatedJob> {
    const { agent, input, leaseRequest, leaseConstraints, maxRuntimeSec } = request;
    const digest = digestOf({ agent, input, leaseRequest, leaseConstraints, maxRuntimeSec });
    const key = request.key === undefined ? this.#nextKey(digest) : `=${assertKey(request.key, "key")}`;
    const known = this.#known.get(key);
    if (known !== undefined) {
      if (known.digest === digest) return known.child();
      throw new CodedError(
        "DUPLICATE_KEY",
        `the key ${JSON.stringify(request.key)} stands for another delegation of this job; use a new key for a new one`,
        { details: { field: "key" } },
      );
    }
    if (this.#known.size >= MAX_DELEGATIONS) {
      throw new CodedError("INVALID_REQUEST", `a job may delegate ${MAX_DELEGATIONS} times`, {
        details: { limit: MAX_DELEGATIONS },
      });
    }
    const child = this.#delegate(request, key, digest);
    this.#known.set(key, { digest, child: () => child });
    // What was refused was never made: the key is free again.
    child.catch(() => {
      this.#known.delete(key);
      this.#giveBack(key, digest);
    });
    return child;
  }

  #nextKey(digest: string): string {
    const ordinal = this.#ordinals.get(digest) ?? 0;
    this.#ordinals.set(digest, ordinal + 1);
    return `${digest}/${ordinal}`;
  }

  /** A later attempt, to which nothing is refused, must find what this one is going to make in this one's place. */
  #giveBack(key: string, digest: string): void {
    const last = (this.#ordinals.get(digest) ?? 0) - 1;
    if (key === `${digest}/${last}`) this.#ordinals.set(digest, last);
  }

  async #delegate(request: DelegateRequest, key: string, digest: string): Promise<DelegatedJob> {
    const { agents, world, table, limits, requireModelUse } = this.#parts;
    const { job: parent, guard } = this.#delegator;
    const agent = agents.resolve(request.agent);
    if (request.maxRuntimeSec !== undefined) assertRuntime(request.maxRuntimeSec);
    const text = textOf(request.input);
    if (text !== undefined && text.length > MAX_INPUT_LENGTH) {
      throw new CodedError("INVALID_REQUEST", `input must have at most ${MAX_INPUT_LENGTH} characters of JSON`, {
        details: { field: "input", limit: MAX_INPUT_LENGTH },
      });
    }
    const input = await agent.parseInput(text === undefined ? undefined : JSON.parse(text));

    // From here to the commit nothing waits: what the guard and the counters say holds.
    this.#delegator.assertRunning();
    const asked = guard.check({ namespace: "agent.delegate", target: `${agent.name}@${agent.version}` });
    if (asked !== undefined) await asked;
    assertRoomBelow(parent, limits);
    assertCanStart(parent, agent, this.#parts);
    const now = world.clock.now();
    const lease = deriveLease(leaseOf(parent.record), request.leaseRequest, request.leaseConstraints, now, {
      requireModelUse,
    });
    const budgeted = parent.purse !== undefined || (lease?.budget ?? null) !== null;
    assertNeeds(agent, lease, input, { budgeted, requireModelUse });
    const id = world.ids.next("job");
    const delegateId = world.ids.next("del");
    const purse = openPurse(parent, id, lease, () => table.touch(id));
    const record = childRecord(parent.record, request, { id, delegateId, agent, lease, now });
    const hold: HoldRow = {
      job: parent.record.id,
      id: delegateId,
      kind: "child",
      key,
      digest,
      amounts: JSON.stringify(lease?.budget ?? {}),
      child: id,
      state: "open",
      attempt: parent.record.attempt,
    };
    try {
      this.#delegator.tell(delegateBody(record, lease, text));
    } catch (error) {
      if (purse !== undefined) parent.purse?.settle(purse);
      throw error;
    }
    parent.addHold(hold);
    const child = table.add({
      record,
      claim: parent.claim,
      parent,
      hold,
      ...(purse && { purse }),
      head: 0,
      accepted: true,
      ...(text === undefined ? {} : { input: { job: id, text } }),
    });
    const accepted = untilAccepted(child);
    this.#parts.run(child, agent, input);
    await accepted;
    this.#delegator.assertRunning();
    return this.#handle(record, delegateId);
  }

  /** A child that an earlier attempt started. */
  async #find(delegateId: string, id: JobId): Promise<DelegatedJob> {
    const record = this.#parts.table.get(id)?.record ?? (await this.#parts.store.readJob(id));
    if (record === undefined) throw new CodedError("INTERNAL_ERROR", `the delegated job ${id} is gone`);
    return this.#handle(record, delegateId);
  }

  #handle(record: JobRecord, delegateId: string): DelegatedJob {
    // Not the record: a parent keeps the handles of all its children, ended ones too.
    const { id, parent } = record;
    const { table, store, world, end } = this.#parts;
    const delegator = this.#delegator;
    return {
      jobId: id,
      delegateId,
      agent: agentReference(record),
      result: async () => {
        await untilEnded(table, id, delegator);
        const returned = await readChildOutcome(store, world.timers, id);
        delegator.assertRunning();
        return returned;
      },
      cancel: async (reason) => {
        delegator.assertRunning();
        assertReason(reason);
        const child = table.get(id);
        if (child === undefined) return;
        const because = reason === undefined ? "" : `: ${reason}`;
        const error = new CodedError("CANCELLED", `the job above this one cancelled it${because}`, {
          details: { parent_job_id: parent },
        });
        end(child, { status: "cancelled", error: error.toBody() });
        await untilEnded(table, id, delegator);
      },
    };
  }
}

function untilAccepted(child: ActiveJob): Promise<void> {
  return new Promise((resolve, reject) => {
    child.whenCommitted((cause) => {
      if (cause === undefined) resolve();
      else reject(new CodedError("INTERNAL_ERROR", "the delegation could not be stored; try again", { cause }));
    });
  });
}

function assertReason(reason: unknown): void {
  if (reason === undefined || (typeof reason === "string" && reason.length <= MAX_REASON_LENGTH)) return;
  throw new CodedError("INVALID_REQUEST", `reason must be a string of at most ${MAX_REASON_LENGTH} characters`, {
    details: { field: "reason", limit: MAX_REASON_LENGTH },
  });
}

/**
 * Resolves once the job's end is durable.
 * @throws the signal's reason when it aborts before; the stop reason when the tree was lost, and the end with it.
 */
async function untilEnded(table: JobTable, id: JobId, { signal, assertRunning }: Delegator): Promise<void> {
  let wake = (): void => {};
  const onWake = (): void => wake();
  const unwatch = table.watch(id, onWake);
  signal.addEventListener("abort", onWake, { once: true });
  try {
    while (table.get(id) !== undefined) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    unwatch();
    signal.removeEventListener("abort", onWake);
  }
  assertRunning();
}

/** Taken from `available` before anything else: siblings are never promised the same money (§9.4). */
function openPurse({ purse }: ActiveJob, job: JobId, lease: Lease | null, onChanged: () => void): Purse | undefined {
  const granted = lease?.budget ?? null;
  if (purse === undefined) return granted === null ? undefined : new Purse({ job, granted, onChanged });
  try {
    return purse.open({ job, granted, onChanged });
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== "BUDGET_EXHAUSTED") throw error;
    throw new CodedError("LEASE_SUBSET_VIOLATION", `the child's cost.budget: ${error.message}`, {
      details: { ...error.details, capability: "cost.budget" },
    });
  }
}

/** A child that waits for a place that only those could free who wait for it would wait for ever. */
function assertCanStart(
  parent: ActiveJob,
  agent: RunnableAgent,
  { waitsInRing }: Pick<DelegationParts, "waitsInRing">,
): void {
  const { name, version, maxConcurrent } = agent;
  if (maxConcurrent === undefined) return;
  const reference = `${name}@${version}`;
  const details = { field: "agent", maxConcurrent };
  const above = [parent, ...ancestorsOf(parent)].map(({ record }) => record);
  if (above.filter((record) => agentReference(record) === reference).length >= maxConcurrent) {
    throw new CodedError(
      "INVALID_REQUEST",
      `${reference} runs at most ${maxConcurrent} at a time (maxConcurrent), and that many jobs above this one are it: the child could never start`,
      { details },
    );
  }
  const ids = above.map(({ id }) => id);
  if (!waitsInRing(agent, ids)) return;
  throw new CodedError(
    "INTERNAL_ERROR",
    `${reference} runs at most ${maxConcurrent} at a time (maxConcurrent), and all that have a place may be waiting for each other and for this child, which could never start; try again later`,
    { details },
  );
}

interface Child {
  readonly id: JobId;
  readonly delegateId: string;
  readonly agent: RunnableAgent;
  readonly lease: Lease | null;
  readonly now: number;
}

/** A child belongs to whom its parent belongs to, and to the same trace. */
function childRecord(
  parent: JobRecord,
  { maxRuntimeSec, traceParent }: DelegateRequest,
  { id, delegateId, agent, lease, now }: Child,
): JobRecord {
  return {
    ...INITIAL_STATE,
    id,
    root: parent.root,
    parent: parent.id,
    delegateId,
    principal: parent.principal,
    session: parent.session,
    agent: agent.name,
    version: agent.version,
    traceId: parent.traceId,
    traceParent: traceParent ?? parent.traceParent,
    lease: lease === null ? null : JSON.stringify(lease),
    createdAt: now,
    deadlineAt: maxRuntimeSec === undefined ? null : now + Math.ceil(maxRuntimeSec * 1000),
    expiresAt: lease?.expiresAt ?? parent.expiresAt,
  };
}

/** The draft leaves the body open (§10). */
function delegateBody(child: JobRecord, lease: Lease | null, input: string | undefined): string {
  const constraints = lease?.expiresAtText == null ? {} : { lease_constraints: { expires_at: lease.expiresAtText } };
  const text = JSON.stringify({
    delegate_id: child.delegateId,
    child_job_id: child.id,
    agent: agentReference(child),
    lease: lease?.grants ?? {},
    ...constraints,
  });
  // The input is JSON text already: it is put in as it is.
  return input === undefined || input.length > MAX_INPUT_TOLD ? text : `${text.slice(0, -1)},"input":${input}}`;
}
