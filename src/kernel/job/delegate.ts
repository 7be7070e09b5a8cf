/**
 * Delegating (§10): a running attempt starts jobs under part of its lease. The child's row and start, the `delegate`
 * event, the money held and the key that finds the child again are one commit.
 */
import type { World } from "../../platform/world.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { Agents, DelegatedJob, DelegateRequest, RunnableAgent } from "../agents-port.ts";
import type { Guard } from "../authority/guard.ts";
import { type Lease, leaseOf } from "../authority/lease.ts";
import type { PolicyGate, PolicyQuestion, Ruling } from "../authority/policy-gate.ts";
import { Purse } from "../authority/purse.ts";
import { deriveLease } from "../authority/sub-lease.ts";
import type { JobId } from "../ids.ts";
import type { HoldRow, Store } from "../ports.ts";
import type { ActiveJob } from "./active-job.ts";
import { readChildOutcome } from "./child-outcome.ts";
import { assertRoomBelow, type DelegationLimits } from "./delegation.ts";
import { delegationQuestion, withinPurse } from "./delegation-policy.ts";
import { digestOf } from "./digest.ts";
import { agentReference, type JobRecord } from "./job-record.ts";
import { INITIAL_STATE, type Outcome } from "./job-state.ts";
import type { JobTable } from "./job-table.ts";
import { ancestorsOf } from "./job-tree.ts";
import { assertNeeds } from "./needs.ts";
import { assertKey, assertRuntime, textOf, toldReason } from "./submission-checks.ts";

/** Longest input of a child, in UTF-16 units of JSON: about what a client's frame could hold. */
const MAX_INPUT_LENGTH = 1_048_576;
/** Delegations of one job in all, each of which leaves a row until the job's history goes. Further ones are refused. */
const MAX_DELEGATIONS = 10_000;
/** Longest input that is repeated in the `delegate` event, in UTF-16 units of JSON; the child has it whole in any case. */
const MAX_INPUT_TOLD = 65_536;

export interface DelegationParts {
  readonly agents: Agents;
  readonly store: Store;
  readonly world: World;
  readonly table: JobTable;
  readonly limits: DelegationLimits;
  /** See `GuardOptions`. */
  readonly requireModelUse: boolean | undefined;
  readonly policy: PolicyGate | undefined;
  /** See `RunSlots.waitsInRing`. */
  waitsInRing(agent: RunnableAgent, above: readonly JobId[]): boolean;
  /** Takes charge of a child, and starts it. */
  run(job: ActiveJob, agent: RunnableAgent, input: unknown): void;
  end(job: ActiveJob, outcome: Outcome): void;
}

/** What one attempt delegates with. */
export interface Delegator {
  readonly job: ActiveJob;
  /** The attempt's own, in this process: it answers, or throws, at once. */
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

/** What the policy was asked, and what it allows. */
interface Ruled {
  readonly question: PolicyQuestion;
  readonly ruling: Ruling;
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
      this.#giveBack(digest);
    });
    return child;
  }

  #nextKey(digest: string): string {
    const ordinal = this.#ordinals.get(digest) ?? 0;
    this.#ordinals.set(digest, ordinal + 1);
    return `${digest}/${ordinal}`;
  }

  /** A later attempt, to which nothing is refused, must find what this one is going to make in this one's place. */
  #giveBack(digest: string): void {
    let next = this.#ordinals.get(digest) ?? 0;
    while (next > 0 && !this.#known.has(`${digest}/${next - 1}`)) next--;
    if (next > 0) this.#ordinals.set(digest, next);
    else this.#ordinals.delete(digest);
  }

  async #delegate(request: DelegateRequest, key: string, digest: string): Promise<DelegatedJob> {
    const { agents, world, table, limits, policy } = this.#parts;
    const { job: parent, guard } = this.#delegator;
    const agent = agents.resolve(request.agent);
    if (request.maxRuntimeSec !== undefined) assertRuntime(request.maxRuntimeSec);
    const text = textOf(request.input);
    if (text !== undefined && text.length > MAX_INPUT_LENGTH) {
      throw new CodedError("INVALID_REQUEST", `input must have at most ${MAX_INPUT_LENGTH} characters of JSON`, {
        details: { field: "input", limit: MAX_INPUT_LENGTH },
      });
    }
    const input = await agent.parseInput(request.input);
    const ruled = policy === undefined ? undefined : await this.#askPolicy(policy, agent, request, input);

    // From here to the commit nothing waits: what the guard and the counters say holds.
    this.#delegator.assertRunning();
    guard.check({ namespace: "agent.delegate", target: `${agent.name}@${agent.version}` });
    assertRoomBelow(parent, limits);
    assertCanStart(parent, agent, this.#parts);
    const now = world.clock.now();
    const lease = ruled === undefined ? this.#derive(request) : withinPurse(ruled.ruling, parent.purse);
    if (ruled === undefined) this.#assertNeeds(agent, lease, input);
    else {
      const { question, ruling } = ruled;
      policy?.assertRoom(question, ruling, table.countOf(parent.record.principal));
      policy?.assertNeeds(question, ruling, (left) => this.#assertNeeds(agent, left, input));
    }
    const { maxRuntimeSec } = ruled?.ruling ?? request;
    const id = world.ids.next("job");
    const delegateId = world.ids.next("del");
    const purse = openPurse(parent, id, lease, () => table.touch(id));
    const record = childRecord(parent.record, request, { id, delegateId, agent, lease, maxRuntimeSec, now });
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

  /** Only about what could be made as things are now. They may be others by the time it answers. */
  async #askPolicy(policy: PolicyGate, agent: RunnableAgent, request: DelegateRequest, input: unknown): Promise<Ruled> {
    const { job: parent, guard, assertRunning } = this.#delegator;
    const reference = `${agent.name}@${agent.version}`;
    assertRunning();
    guard.check({ namespace: "agent.delegate", target: reference });
    assertRoomBelow(parent, this.#parts.limits);
    const lease = this.#derive(request);
    this.#assertNeeds(agent, lease, input);
    const { maxRuntimeSec } = request;
    const question = delegationQuestion(parent, { agent: reference, lease, maxRuntimeSec });
    return { question, ruling: await policy.ask(question) };
  }

  /** See `deriveLease`. */
  #derive({ leaseRequest, leaseConstraints }: DelegateRequest): Lease | null {
    const { world, requireModelUse } = this.#parts;
    const parent = leaseOf(this.#delegator.job.record);
    return deriveLease(parent, leaseRequest, leaseConstraints, world.clock.now(), { requireModelUse });
  }

  #assertNeeds(agent: RunnableAgent, lease: Lease | null, input: unknown): void {
    const budgeted = this.#delegator.job.purse !== undefined || (lease?.budget ?? null) !== null;
    assertNeeds(agent, lease, input, { budgeted, requireModelUse: this.#parts.requireModelUse });
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
      ended: () => untilEnded(table, id, delegator),
      result: async () => {
        await untilEnded(table, id, delegator);
        const returned = await readChildOutcome(store, world.timers, id);
        delegator.assertRunning();
        return returned;
      },
      cancel: async (reason) => {
        delegator.assertRunning();
        const child = table.get(id);
        if (child === undefined) return;
        const error = new CodedError("CANCELLED", `the job above this one cancelled it${toldReason(reason)}`, {
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
  readonly maxRuntimeSec: number | undefined;
  readonly now: number;
}

/** A child belongs to whom its parent belongs to, and to the same trace. */
function childRecord(
  parent: JobRecord,
  { traceParent }: DelegateRequest,
  { id, delegateId, agent, lease, maxRuntimeSec, now }: Child,
): JobRecord {
  return {
    ...INITIAL_STATE,
    id,
    root: parent.root,
    parent: parent.id,
    delegateId,
    principal: parent.principal,
    roles: parent.roles,
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
