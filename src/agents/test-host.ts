/** A `JobHost` in memory, for this folder's tests and those of the example agents. Durable on request only. */
import type { JobHost } from "../kernel/agents-port.ts";
import { parseAmount } from "../kernel/authority/decimal.ts";
import type { Guard } from "../kernel/authority/guard.ts";
import type { Grant, PermissionAsk } from "../kernel/authority/permission-ask.ts";
import { Purse } from "../kernel/authority/purse.ts";
import type { JobRecord } from "../kernel/job/job-record.ts";
import { isCost, type Metric, metricBody } from "../kernel/job/metric.ts";
import { Reservations } from "../kernel/job/reservations.ts";
import type { Artifacts } from "../kernel/ports.ts";
import { CodedError } from "../protocol/errors.ts";
import type { EntryKind } from "../protocol/event-kinds.ts";
import { createMemoryArtifacts } from "../stores/artifacts/memory-artifacts.ts";

export interface TestEntry {
  readonly kind: EntryKind;
  readonly name: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** As it was appended. */
  readonly text: string;
}

export interface TestHost extends JobHost {
  readonly entries: readonly TestEntry[];
  /** The contents of what was put. */
  readonly artifacts: Artifacts;
  /** What happened, in order: `append:log`, `flush`, `step:name`, `guard:target`. */
  readonly trace: string[];
  /** The bodies of one kind, in order. */
  bodies(kind: EntryKind): readonly Readonly<Record<string, unknown>>[];
  stop(reason?: CodedError): void;
}

export interface TestHostOptions {
  readonly attempt?: number;
  readonly agent?: string;
  readonly version?: string;
  readonly steps?: ReadonlyMap<string, string | null>;
  readonly lease?: unknown;
  /** Asked like the real guard; throws to refuse. */
  readonly guard?: Guard;
  /** Called after each append; what it returns is the promise of room. */
  readonly room?: () => Promise<void> | undefined;
  /** Called in each flush. */
  readonly flushed?: () => Promise<void> | void;
  readonly maxEntryLength?: number;
  /** Decides what is asked for; throws to refuse. */
  readonly grant?: (ask: PermissionAsk) => Promise<Grant>;
  /** Currency → decimal. */
  readonly budget?: Readonly<Record<string, string>>;
}

const RECORD = {
  id: "job_01TEST",
  root: "job_01TEST",
  parent: null,
  delegateId: null,
  principal: "test/user",
  roles: "user",
  session: null,
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  traceParent: null,
  createdAt: 0,
  deadlineAt: null,
  expiresAt: null,
  status: "running",
  startedAt: 0,
  endedAt: null,
  outcome: null,
} as const satisfies Partial<JobRecord>;

export function createTestHost(options: TestHostOptions = {}): TestHost {
  const controller = new AbortController();
  const entries: TestEntry[] = [];
  const trace: string[] = [];
  const artifacts = createMemoryArtifacts();
  const steps = new Map(options.steps);
  const { attempt = 1, agent = "sample", version = "1.0.0", lease = null, maxEntryLength = 1_000_000 } = options;
  const assertRunning = (): void => controller.signal.throwIfAborted();
  const job = { ...RECORD, agent, version, attempt, lease: lease === null ? null : JSON.stringify(lease) };
  const purse = options.budget && new Purse({ job: job.id, granted: options.budget });
  const report = (metric: Metric): Promise<void> | undefined => {
    assertRunning();
    const text = metricBody(metric);
    entries.push({ kind: "metric", name: "metric", text, body: JSON.parse(text) });
    trace.push("append:metric");
    if (metric.unit !== undefined && isCost(metric.name)) {
      purse?.charge(metric.unit, parseAmount(metric.value, "metric.value"));
    }
    return options.room?.();
  };
  const ignore = (): void => {};
  const reservations = new Reservations({ record: job, purse, addHold: ignore, charge: report }, []);

  return {
    job,
    attempt,
    signal: controller.signal,
    guard: {
      check(operation) {
        assertRunning();
        trace.push(`guard:${operation.target}`);
        return options.guard?.check(operation);
      },
    },
    steps,
    append(kind, name, text) {
      assertRunning();
      if (text.length > maxEntryLength) throw new CodedError("INVALID_REQUEST", `a ${name} event is too long`);
      entries.push({ kind, name, text, body: JSON.parse(text) });
      trace.push(`append:${name}`);
      return options.room?.();
    },
    report,
    budget: { view: () => purse?.view() ?? {} },
    async reserve(amounts, key) {
      assertRunning();
      trace.push("reserve");
      const isStopped = (): boolean => controller.signal.aborted;
      return reservations.reserve(amounts, key, { report, assertRunning, isStopped }).handle;
    },
    async flush() {
      assertRunning();
      await options.flushed?.();
      assertRunning();
      trace.push("flush");
    },
    async requestPermission(ask) {
      assertRunning();
      trace.push(`ask:${ask.resource}`);
      if (options.grant === undefined) throw new Error("a test host grants nothing unless it is told to");
      return await options.grant(ask);
    },
    async delegate() {
      throw new Error("a test host delegates nothing");
    },
    async recordStep(name, value) {
      assertRunning();
      steps.set(name, value);
      trace.push(`step:${name}`);
    },
    async putArtifact(label, content, tell) {
      assertRunning();
      const kept = await artifacts.put(content);
      assertRunning();
      const row = { id: `art_${entries.length}`, job: RECORD.id, ...label, ...kept, createdAt: 0 };
      this.append("artifact_ref", "artifact_ref", tell(row));
      return row;
    },
    artifacts,
    entries,
    trace,
    bodies: (kind) => entries.filter((entry) => entry.kind === kind).map((entry) => entry.body),
    stop: (reason = new CodedError("CANCELLED", "cancelled by a test")) => controller.abort(reason),
  };
}
