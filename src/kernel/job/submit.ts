/** Accepting jobs (§7.1) and recognising repeated submissions (§7.2). */
import { toHex } from "../../platform/hex.ts";
import type { World } from "../../platform/world.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { Agents } from "../agents-port.ts";
import { parseLease } from "../authority/lease.ts";
import type { PolicyGate, PolicyQuestion } from "../authority/policy-gate.ts";
import type { JobId, SessionId } from "../ids.ts";
import type { IdempotencyRow, Store } from "../ports.ts";
import { type Principal, type PrincipalKey, principalKey } from "../principal.ts";
import { purseOf } from "./counters.ts";
import { digestOf } from "./digest.ts";
import type { JobRecord } from "./job-record.ts";
import { INITIAL_STATE } from "./job-state.ts";
import type { JobTable } from "./job-table.ts";
import { assertNeeds } from "./needs.ts";
import type { Runner } from "./run.ts";
import { assertRuntime, textOf } from "./submission-checks.ts";

/** Of W3C trace context: 32 hex digits (§11). */
const TRACE_ID_BYTES = 16;

export interface SubmitRequest {
  readonly principal: Principal;
  /** The submitting session, which follows the job and may cancel it; null in process. */
  readonly session: SessionId | null;
  /** `name` or `name@version`. */
  readonly agent: string;
  readonly input: unknown;
  /** `lease_request` as it came; absent for a job without a lease. */
  readonly leaseRequest?: unknown;
  /** `lease_constraints` as they came. */
  readonly leaseConstraints?: unknown;
  readonly idempotencyKey?: string;
  /** Seconds, more than zero. */
  readonly maxRuntimeSec?: number;
  /** 32 hex digits; drawn when absent. */
  readonly traceId?: string;
  /** The span of that trace that submits, and its flags: 16 and 2 hex digits with a dash. */
  readonly traceParent?: string;
}

export interface Accepted {
  readonly job: JobRecord;
  /** True when the idempotency key belongs to a job accepted before, which this is. */
  readonly repeated: boolean;
}

/** The trace that a job belongs to, and the span of it that submits the job. */
export type JobTrace = Pick<JobRecord, "traceId" | "traceParent">;

/** Begins a trace for a job of this agent, whose submitter named none; undefined where nothing is traced. */
export type BeginTrace = (agent: string) => JobTrace | undefined;

export class Submissions {
  readonly #agents: Agents;
  readonly #store: Store;
  readonly #world: World;
  readonly #table: JobTable;
  readonly #runner: Runner;
  readonly #readJob: (id: JobId) => Promise<JobRecord | undefined>;
  readonly #beginTrace: BeginTrace | undefined;
  readonly #requireModelUse: boolean | undefined;
  readonly #policy: PolicyGate | undefined;
  /** Submissions with a key that are not durable yet, by principal and key: a repeat waits for them. */
  readonly #underWay = new Map<string, Promise<unknown>>();

  /**
   * @param options.readJob the job as it was last committed.
   * @param options.beginTrace absent: trace ids are drawn.
   */
  constructor(options: {
    agents: Agents;
    store: Store;
    world: World;
    table: JobTable;
    runner: Runner;
    readJob: (id: JobId) => Promise<JobRecord | undefined>;
    beginTrace?: BeginTrace | undefined;
    requireModelUse?: boolean | undefined;
    policy?: PolicyGate | undefined;
  }) {
    this.#agents = options.agents;
    this.#store = options.store;
    this.#world = options.world;
    this.#table = options.table;
    this.#runner = options.runner;
    this.#readJob = options.readJob;
    this.#beginTrace = options.beginTrace;
    this.#requireModelUse = options.requireModelUse;
    this.#policy = options.policy;
  }

  /**
   * Accepts a job. `accepted` is called in the turn in which the acceptance became durable, before anything of the job
   * is published; the promise resolves after it.
   * @throws CodedError INVALID_REQUEST, AGENT_NOT_AVAILABLE, AGENT_VERSION_NOT_AVAILABLE, DUPLICATE_KEY,
   * PERMISSION_DENIED when the lease lacks what the agent needs (`needs.ts`) or the policy refuses, or INTERNAL_ERROR when the store failed, or
   * when too many jobs wait to run.
   */
  async submit(request: SubmitRequest, accepted: (answer: Accepted) => void): Promise<void> {
    const key = request.idempotencyKey;
    if (key === undefined) return this.#accept(request, undefined, accepted);
    // A store keeps text as UTF-8, where every half of a character is the same: two keys would be one.
    if (!key.isWellFormed()) {
      throw new CodedError("INVALID_REQUEST", "idempotency_key must be well-formed Unicode, without lone surrogates", {
        details: { field: "idempotency_key" },
      });
    }
    const idempotency = { principal: principalKey(request.principal), key, digest: digestOf(parametersOf(request)) };
    const slot = `${idempotency.principal}\n${key}`;
    for (let before = this.#underWay.get(slot); before !== undefined; before = this.#underWay.get(slot)) {
      // Whoever made it hears of its failure; here it only has to be over.
      await before.catch(() => {});
    }
    const underWay = this.#acceptOnce(request, idempotency, accepted);
    this.#underWay.set(slot, underWay);
    try {
      await underWay;
    } finally {
      this.#underWay.delete(slot);
    }
  }

  async #acceptOnce(
    request: SubmitRequest,
    idempotency: { principal: PrincipalKey; key: string; digest: string },
    accepted: (answer: Accepted) => void,
  ): Promise<void> {
    const known = await this.#store.readIdempotency(idempotency.principal, idempotency.key);
    if (known === undefined) return this.#accept(request, idempotency, accepted);
    if (known.digest !== idempotency.digest) {
      throw new CodedError(
        "DUPLICATE_KEY",
        `idempotency_key ${JSON.stringify(idempotency.key)} was used before with other parameters; use a new key for a new job`,
        { details: { field: "idempotency_key" } },
      );
    }
    const job = await this.#readJob(known.job);
    // Removed by retention in this very moment: the key is free.
    if (job === undefined) return this.#accept(request, idempotency, accepted);
    accepted({ job, repeated: true });
  }

  async #accept(
    request: SubmitRequest,
    idempotency: Omit<IdempotencyRow, "job"> | undefined,
    accepted: (answer: Accepted) => void,
  ): Promise<void> {
    const now = this.#world.clock.now();
    const agent = this.#agents.resolve(request.agent);
    const asked =
      request.leaseRequest === undefined && request.leaseConstraints === undefined
        ? null
        : parseLease(request.leaseRequest, request.leaseConstraints, now);
    if (request.maxRuntimeSec !== undefined) assertRuntime(request.maxRuntimeSec);
    const parsing = agent.parseInput(request.input);
    const input = parsing instanceof Promise ? await parsing : parsing;
    const needs = { requireModelUse: this.#requireModelUse };
    assertNeeds(agent, asked, input, needs);
    const principal = principalKey(request.principal);
    let lease = asked;
    let { maxRuntimeSec } = request;
    const policy = this.#policy;
    if (policy !== undefined) {
      const question: PolicyQuestion = {
        kind: "submit",
        principal: request.principal,
        agent: `${agent.name}@${agent.version}`,
        lease,
        maxRuntimeSec,
        job: null,
        owner: principal,
      };
      const ruling = await policy.ask(question);
      // From here to the commit nothing waits: what is counted holds.
      policy.assertRoom(question, ruling, this.#table.countOf(principal));
      policy.assertNeeds(question, ruling, (left) => assertNeeds(agent, left, input, needs));
      ({ lease, maxRuntimeSec } = ruling);
    }
    this.#runner.assertRoom(principal, agent);
    const id = this.#world.ids.next("job");
    const text = textOf(request.input);
    const begun = request.traceId === undefined ? this.#beginTrace?.(agent.name) : undefined;
    const record: JobRecord = {
      ...INITIAL_STATE,
      id,
      root: id,
      parent: null,
      delegateId: null,
      principal,
      roles: request.principal.roles.join(" "),
      session: request.session,
      agent: agent.name,
      version: agent.version,
      traceId: request.traceId ?? begun?.traceId ?? toHex(this.#world.random.bytes(TRACE_ID_BYTES)),
      traceParent: request.traceParent ?? begun?.traceParent ?? null,
      lease: lease === null ? null : JSON.stringify(lease),
      createdAt: now,
      deadlineAt: maxRuntimeSec === undefined ? null : now + Math.ceil(maxRuntimeSec * 1000),
      expiresAt: lease?.expiresAt ?? null,
    };
    const purse = purseOf(this.#table, { job: id, granted: lease?.budget ?? null });
    const job = this.#table.add({
      record,
      ...(purse && { purse }),
      claim: { root: id, epoch: 1 },
      head: 0,
      accepted: true,
      ...(text === undefined ? {} : { input: { job: id, text } }),
      ...(idempotency && { idempotency: { ...idempotency, job: id } }),
    });
    this.#runner.hold(job);
    return new Promise((resolve, reject) => {
      job.whenCommitted((error, stored) => {
        if (error !== undefined) {
          reject(
            new CodedError("INTERNAL_ERROR", "the job could not be stored, and was not accepted; try again", {
              cause: error,
            }),
          );
          return;
        }
        try {
          accepted({ job: stored, repeated: false });
          resolve();
        } catch (fault) {
          // The caller's fault is the caller's to hear of, and none of the job's business.
          reject(fault);
        }
      });
      this.#runner.start(job, agent, { input });
    });
  }
}

/** What must be the same for a repeated key to mean the same job. Who asks, and how the trace is named, need not be. */
function parametersOf(request: SubmitRequest): unknown {
  const { agent, input, leaseConstraints, leaseRequest, maxRuntimeSec } = request;
  return { agent, input, leaseConstraints, leaseRequest, maxRuntimeSec };
}
