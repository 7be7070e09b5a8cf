/** The kernel's use cases as the faces call them, wired once. */
import type { Log } from "../platform/log.ts";
import type { Timers, World } from "../platform/world.ts";
import { CodedError } from "../protocol/errors.ts";
import type { AgentListing, Agents } from "./agents-port.ts";
import type { AuditPage, AuditQuery } from "./audit/audit-row.ts";
import { type AuditCounts, type AuditedDecision, AuditTrail } from "./audit/audit-trail.ts";
import type { BudgetView } from "./authority/budget-view.ts";
import type { PermissionPage, PermissionQuery, PermissionRow } from "./authority/permission.ts";
import type { Policy } from "./authority/policy.ts";
import { PolicyGate } from "./authority/policy-gate.ts";
import type { ArtifactId, JobId, NodeId, PermissionId, SessionId } from "./ids.ts";
import {
  type ArtifactCounts,
  type ArtifactLabel,
  type ArtifactLimits,
  JobArtifacts,
  MAX_ARTIFACT_BYTES,
  MAX_JOB_ARTIFACT_BYTES,
} from "./job/artifacts.ts";
import { CommandUpkeep } from "./job/command-upkeep.ts";
import { type DelegationParts, Delegations } from "./job/delegate.ts";
import { auditedPermission } from "./job/grant-bounds.ts";
import type { JobRecord } from "./job/job-record.ts";
import { isTerminal } from "./job/job-state.ts";
import { JobTable } from "./job/job-table.ts";
import { completeJobLimits, type JobLimits } from "./job/limits.ts";
import { Listings } from "./job/list.ts";
import {
  type DecisionRequest,
  type ExtendRequest,
  type GrantRequest,
  PermissionDecisions,
} from "./job/permission-decisions.ts";
import { readBudgets } from "./job/read-budgets.ts";
import { Recovery } from "./job/recovery.ts";
import { PermissionRequests, type RequestingParts } from "./job/request-permission.ts";
import { completeRetention, Retention, type RetentionLimits } from "./job/retention.ts";
import { Runner } from "./job/run.ts";
import { RunSlots } from "./job/run-slots.ts";
import { type CancelRequest, Stops } from "./job/stop.ts";
import { type Accepted, type BeginTrace, Submissions, type SubmitRequest } from "./job/submit.ts";
import { type KernelEventName, KernelEventSource, type KernelListener } from "./kernel-events.ts";
import type { Contributor } from "./log/contributor.ts";
import { formatTime } from "./log/entry.ts";
import { follow } from "./log/follow.ts";
import { GroupCommit, type Plan, StaleTreeError } from "./log/group-commit.ts";
import { type ResultPiece, readStreamedResult } from "./log/streamed-result.ts";
import type {
  ArtifactRow,
  Artifacts,
  ByteRange,
  Chunk,
  ChunkQuery,
  JobQuery,
  LogEntry,
  Segment,
  SessionSummary,
  Store,
  StoredSession,
} from "./ports.ts";
import type { PrincipalKey } from "./principal.ts";
import { StoreError } from "./store-error.ts";

export interface KernelOptions {
  readonly store: Store;
  /** Where the contents of artifacts are kept. */
  readonly artifacts: Artifacts;
  readonly artifactLimits?: Partial<ArtifactLimits>;
  readonly jobLimits?: Partial<JobLimits>;
  /** Whether a lease has to name `model.use` for a model to be used (§9.7). Default: true. */
  readonly requireModelUse?: boolean | undefined;
  /** What may be granted, and to whom. Absent: whatever is asked for. */
  readonly policy?: Policy | undefined;
  /** How long the history of ended jobs is kept. Absent: for ever, and nothing else is looked after by the clock either. */
  readonly retention?: Partial<RetentionLimits>;
  readonly agents: Agents;
  readonly world: World;
  readonly log: Log;
  /** Absent: jobs whose submitter names no trace get a trace id at random. */
  readonly beginTrace?: BeginTrace | undefined;
  /** The faces that add rows to kernel transitions. */
  readonly contributors: readonly Contributor[];
  /** The store cannot tell what is on the disk any more: the process must end. */
  readonly onFatal: (error: unknown) => void;
}

export class Kernel {
  readonly #store: Store;
  readonly #agents: Agents;
  readonly #log: Log;
  readonly #node: NodeId;
  readonly #events: KernelEventSource;
  readonly #commits: GroupCommit;
  readonly #table: JobTable;
  readonly #runner: Runner;
  readonly #submissions: Submissions;
  readonly #stops: Stops;
  readonly #permissions: PermissionDecisions;
  readonly #recovery: Recovery;
  readonly #slots: RunSlots;
  readonly #timers: Timers;
  readonly #retention: Retention | undefined;
  readonly #commandUpkeep: CommandUpkeep | undefined;
  readonly #artifacts: JobArtifacts;
  readonly #audit: AuditTrail;
  readonly #listings: Listings;
  #unwake: () => void = () => {};

  constructor(options: KernelOptions) {
    const { store, agents, world, log } = options;
    this.#store = store;
    this.#agents = agents;
    this.#log = log;
    this.#timers = world.timers;
    this.#node = world.ids.next("node");
    this.#events = new KernelEventSource({ clock: world.clock, log });
    this.#commits = new GroupCommit({
      store,
      timers: world.timers,
      log,
      // Last: the faces publish before anyone else is told.
      contributors: [...options.contributors, this.#events],
      onFailed: (error) => {
        this.#events.tellFailure(error);
        if (error instanceof StoreError && error.fatal) options.onFatal(error);
      },
    });
    this.#artifacts = new JobArtifacts({
      store,
      artifacts: options.artifacts,
      world,
      commits: this.#commits,
      limits: {
        maxArtifactBytes: MAX_ARTIFACT_BYTES,
        maxJobArtifactBytes: MAX_JOB_ARTIFACT_BYTES,
        ...options.artifactLimits,
      },
    });
    this.#audit = new AuditTrail({ commits: this.#commits, world, log });
    const policy =
      options.policy &&
      new PolicyGate({
        policy: options.policy,
        world,
        log,
        audit: (decision) => this.#audit.add(decision),
        requireModelUse: options.requireModelUse,
      });
    this.#listings = new Listings(store, world.timers);
    const limits = completeJobLimits(options.jobLimits);
    this.#slots = new RunSlots(limits);
    const requesting: RequestingParts = {
      world,
      policy,
      audit: (decision) => this.#audit.add(decision),
      leaveSlot: (job) => this.#runner.leaveSlot(job),
      takeSlot: (job) => this.#runner.takeSlot(job),
    };
    this.#runner = new Runner({
      agents,
      store,
      artifacts: this.#artifacts,
      world,
      log,
      slots: this.#slots,
      maxLogBytes: limits.maxLogBytes,
      requireModelUse: options.requireModelUse,
      beginDelegating: (delegator) => new Delegations(delegation(), delegator),
      beginRequesting: (requester) => new PermissionRequests(requesting, requester),
      onExpired: ({ id, principal, agent, expiresAt }) =>
        this.#audit.add({
          principal,
          action: "lease.expire",
          job: id,
          owner: principal,
          allowed: false,
          details: { agent, expired_at: expiresAt === null ? null : formatTime(expiresAt) },
        }),
    });
    const delegation = (): DelegationParts => ({
      agents,
      store,
      world,
      limits,
      requireModelUse: options.requireModelUse,
      policy,
      table: this.#table,
      waitsInRing: (agent, above) => this.#slots.waitsInRing(agent, above),
      run: (job, agent, input) => {
        this.#runner.hold(job);
        this.#runner.start(job, agent, { input });
      },
      end: (job, outcome) => this.#runner.end(job, outcome),
    });
    this.#table = new JobTable({
      clock: world.clock,
      timers: world.timers,
      commits: this.#commits,
      onPermissionExpired: (row) =>
        this.#audit.add({
          principal: row.principal,
          action: "permission.expire",
          job: row.job,
          owner: row.principal,
          allowed: false,
          details: { ...auditedPermission(row), was: row.state },
        }),
      onLost: (tree, cause) => {
        const lost = () => new CodedError("INTERNAL_ERROR", "the job's events could not be stored", { cause });
        for (const { record } of tree) this.#runner.release(record.id, lost);
        const [root] = tree;
        if (root !== undefined && !(cause instanceof StaleTreeError)) this.#recovery.reload(root.claim);
      },
    });
    this.#submissions = new Submissions({
      agents,
      store,
      world,
      table: this.#table,
      runner: this.#runner,
      readJob: (id) => this.readJob(id),
      requireModelUse: options.requireModelUse,
      policy,
      beginTrace: options.beginTrace,
    });
    this.#permissions = new PermissionDecisions({
      store,
      clock: world.clock,
      table: this.#table,
      policy,
      audit: requesting.audit,
    });
    this.#stops = new Stops({ store, log, commits: this.#commits, table: this.#table, runner: this.#runner });
    this.#recovery = new Recovery({
      agents,
      store,
      world,
      log,
      table: this.#table,
      runner: this.#runner,
      maxAgentWaitSec: limits.maxAgentWaitSec,
    });
    if (options.retention !== undefined) {
      this.#retention = new Retention({
        store,
        commits: this.#commits,
        world,
        log,
        limits: completeRetention(options.retention),
        onFatal: options.onFatal,
        onRemoved: () => {
          this.sweepArtifacts().catch((error: unknown) => log.warn({ err: error }, "artifacts could not be swept"));
        },
      });
      this.#commandUpkeep = new CommandUpkeep({ store, world, log, runCommands: () => this.#runCommands() });
    }
  }

  /** Takes up what an earlier run left unfinished. Call once, before anything else. Closed when it rejects. */
  async start(): Promise<void> {
    try {
      await this.#recovery.recover(this.#node);
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#unwake = this.#store.onWake(() => this.#runCommands());
    // What was asked while nobody owned the tree has woken nobody.
    this.#runCommands();
    this.#retention?.start();
    this.#commandUpkeep?.start();
  }

  #runCommands(): void {
    this.#stops.runCommands(this.#node).catch((error: unknown) => {
      this.#log.error({ err: error }, "commands of other nodes could not be read");
    });
  }

  /** See `Submissions.submit`. */
  submit(request: SubmitRequest, accepted: (answer: Accepted) => void): Promise<void> {
    return this.#submissions.submit(request, accepted);
  }

  /** See `Stops.cancel`. */
  cancel(request: CancelRequest, answered: (job: JobRecord) => void): Promise<void> {
    return this.#stops.cancel(request, answered);
  }

  /** One page of what jobs have asked for, newest first, of the given principals' jobs only. */
  listPermissions(query: PermissionQuery): Promise<PermissionPage> {
    return this.#store.listPermissions(query);
  }

  /** A permission as it was last committed. By the name of its grant: see `permissionIdOf`. */
  readPermission(id: PermissionId): Promise<PermissionRow | undefined> {
    return this.#store.readPermission(id);
  }

  /** See `PermissionDecisions.grant`. Resolves to the permission as it then stands, once that is durable. */
  grantPermission(request: GrantRequest): Promise<PermissionRow> {
    return this.#permissions.grant(request);
  }

  /** See `PermissionDecisions.deny`. */
  denyPermission(request: DecisionRequest): Promise<PermissionRow> {
    return this.#permissions.deny(request);
  }

  /** See `PermissionDecisions.revoke`. */
  revokePermission(request: DecisionRequest): Promise<PermissionRow> {
    return this.#permissions.revoke(request);
  }

  /** See `PermissionDecisions.extend`. */
  extendPermission(request: ExtendRequest): Promise<PermissionRow> {
    return this.#permissions.extend(request);
  }

  /** Agents and versions that can be submitted to (§7.5). */
  listAgents(): readonly AgentListing[] {
    return this.#agents.list();
  }

  /** The job as it was last committed. */
  async readJob(id: JobId): Promise<JobRecord | undefined> {
    const active = this.#table.get(id)?.durable;
    if (active !== undefined) return active;
    const stored = await this.#store.readJob(id);
    if (stored !== undefined) this.#retention?.touch(stored.root);
    return stored;
  }

  /**
   * To be called while a commit is planned that names a job which may have ended, such as a follow of it. Keeps its
   * history from being removed meanwhile.
   * @returns false when it is gone, or just going: then the commit must not name the job.
   */
  keepHistory({ root }: Pick<JobRecord, "root">): boolean {
    return this.#retention?.keep(root) ?? true;
  }

  /** Jobs, newest first; see `Listings.list`. */
  listJobs(query: JobQuery): Promise<readonly JobRecord[]> {
    return this.#listings.list(query);
  }

  /** Writes a decision down, with the next commit; see `AuditTrail.add`. */
  audit(decision: AuditedDecision): void {
    this.#audit.add(decision);
  }

  /** What has become of decisions since the start; see `AuditCounts`. */
  get auditCounts(): AuditCounts {
    return this.#audit.counts;
  }

  /** Artifacts stored since the start, and their bytes. */
  get artifactCounts(): ArtifactCounts {
    return this.#artifacts.counts;
  }

  /** One page of what was decided, newest first, of the given scopes only. */
  listAudit(query: AuditQuery): Promise<AuditPage> {
    return this.#store.listAudit(query);
  }

  /**
   * The counters of a job's own budget, as they were last committed; null for a job whose lease has no budget. For many
   * jobs, `readBudgets`.
   */
  async readBudget(job: JobRecord): Promise<BudgetView | null> {
    return (await this.readBudgets([job])).get(job.id) ?? null;
  }

  /** See `readBudgets`. */
  readBudgets(jobs: readonly JobRecord[]): Promise<ReadonlyMap<JobId, BudgetView>> {
    return readBudgets(this.#store, this.#table, jobs);
  }

  /** The highest committed position of each job's log. */
  readHeads(jobs: readonly JobId[]): Promise<ReadonlyMap<JobId, number>> {
    return this.#store.readHeads(jobs);
  }

  async readChunks(query: ChunkQuery): Promise<readonly Chunk[]> {
    // To look the job up is to keep its tree from being removed under its reader.
    if (this.#retention?.isAboutToRemove === true) await this.readJob(query.job);
    return this.#store.readChunks(query);
  }

  /** See `readStreamedResult`. */
  readResult(job: JobId, resultId: string): AsyncGenerator<ResultPiece, void, void> {
    return readStreamedResult(this, this.#timers, job, resultId);
  }

  /** An artifact by its id; who may see its job may fetch it. */
  readArtifact(id: ArtifactId): Promise<ArtifactRow | undefined> {
    return this.#artifacts.read(id);
  }

  /**
   * The content of an artifact, or a range of it; undefined when it is gone, as when its job has just been removed. See
   * `Artifacts.open`.
   */
  openArtifact(artifact: ArtifactRow, range?: ByteRange): Promise<AsyncIterable<Uint8Array> | undefined> {
    return this.#artifacts.open(artifact, range);
  }

  /** See `JobArtifacts.add`. */
  addArtifact(
    id: ArtifactId,
    job: JobId,
    label: ArtifactLabel,
    content: AsyncIterable<Uint8Array>,
  ): Promise<ArtifactRow> {
    return this.#artifacts.add(id, job, label, content);
  }

  /** Removes contents that no job names any more; to be called now and then, and after jobs were removed. */
  sweepArtifacts(): Promise<number> {
    return this.#artifacts.sweep();
  }

  /** See `Store.readLatest`. */
  readLatest(job: JobId, codes: string): Promise<LogEntry | undefined> {
    return this.#store.readLatest(job, codes);
  }

  /** Unfinished jobs in this process, by status; only of those principals that `isCounted`. */
  countUnfinished(
    isCounted: (principal: PrincipalKey) => boolean = () => true,
  ): Readonly<Record<"pending" | "running" | "ending", number>> {
    const counts = { pending: 0, running: 0, ending: 0 };
    for (const { durable } of this.#table.values()) {
      if (durable !== undefined && !isTerminal(durable.status) && isCounted(durable.principal))
        counts[durable.status]++;
    }
    return counts;
  }

  readSession(id: SessionId): Promise<StoredSession | undefined> {
    return this.#store.readSession(id);
  }

  readSegments(session: SessionId, after: number, limit: number): Promise<readonly Segment[]> {
    return this.#store.readSegments(session, after, limit);
  }

  listSessions(): Promise<readonly SessionSummary[]> {
    return this.#store.listSessions();
  }

  /** See `Store.measureSession`. */
  measureSession(id: SessionId): Promise<number> {
    return this.#store.measureSession(id);
  }

  /** Adds rows to the next commit; see `GroupCommit.plan`. */
  plan(plan: Plan): void {
    this.#commits.plan(plan);
  }

  /** Committed entries of a job after `after`, then those to come; ends with the terminal or when `signal` aborts. */
  follow(job: JobId, after: number, signal?: AbortSignal): AsyncGenerator<Chunk, void, void> {
    const reader = { readChunks: (query: ChunkQuery) => this.readChunks(query) };
    return follow(reader, (id, watcher) => this.#table.watch(id, watcher), job, after, signal);
  }

  /** Calls `listener` after each commit that did what `name` says; returns how to stop. See `KernelEvents`. */
  on<Name extends KernelEventName>(name: Name, listener: KernelListener<Name>): () => void {
    return this.#events.on(name, listener);
  }

  /** Jobs under way in this process. */
  get unfinished(): number {
    return this.#table.size;
  }

  /** Refuses submissions from now on, with a retryable INTERNAL_ERROR; running jobs run on, and no waiting one starts. */
  refuseJobs(): void {
    this.#slots.pause();
    this.#table.close(new CodedError("INTERNAL_ERROR", "the runtime is shutting down; submit again once it is back"));
  }

  /** Refuses submissions, and resolves once no job runs any more and all ends are durable, or after `graceMs`. */
  async drain(graceMs: number): Promise<void> {
    this.refuseJobs();
    if (graceMs <= 0 || this.#slots.running === 0) return;
    const grace = Promise.withResolvers<void>();
    const timer = this.#timers.after(graceMs, grace.resolve);
    await Promise.race([this.#slots.idle().then(() => this.#commits.idle()), grace.promise]);
    timer.cancel();
  }

  /**
   * Lets go of everything without ending any job: agents are shut out, and the next start takes the jobs up as after a
   * crash. What was emitted until now is committed first. Submissions are refused from now on. The store stays open.
   */
  async close(): Promise<void> {
    const closing = new CodedError("INTERNAL_ERROR", "the runtime is closing");
    this.#unwake();
    this.#retention?.close();
    this.#commandUpkeep?.close();
    this.#slots.pause();
    this.#audit.close();
    this.#table.close(closing);
    this.#recovery.close();
    for (const job of this.#table.values()) this.#runner.release(job.record.id, () => closing);
    await this.#artifacts.close();
    await this.#commits.idle();
    this.#table.clear(closing);
  }
}
