/** The runtime's numbers in the words of Prometheus. Loaded with the first scrape; every number is read at the scrape. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Metric, Registry } from "prom-client";
import type { AuditCounts } from "../../kernel/audit/audit-trail.ts";
import type { ArtifactCounts } from "../../kernel/job/artifacts.ts";
import type { SessionCounts } from "../../sessions/session-counts.ts";
import type { Bins, Tally } from "./tally.ts";

/** Where the numbers that are not counted, but looked at, come from. */
export interface Gauged {
  readonly version: string;
  readonly tally: Tally;
  countConnections(): number;
  countSessions(): Promise<SessionCounts>;
  countUnfinished(): Readonly<Record<"pending" | "running" | "ending", number>>;
  countArtifacts(): ArtifactCounts;
  countAudit(): AuditCounts;
  /** In bytes. */
  measureStore(): Promise<number>;
}

type Values = Readonly<Record<string, number>>;

/** Every metric of the runtime by its name, and those of the process, as Prometheus and Node are used to naming them. */
export function createRegistry(from: Gauged): Registry {
  const { tally } = from;
  const registry = new Registry();
  const registers = [registry];

  /** @param read one value, or one for each value of the label. */
  function gauge(name: string, help: string, read: () => number | Promise<number>): void {
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.set(await read());
      },
    });
  }
  function gaugeBy<Label extends string>(name: string, help: string, label: Label, read: () => Promise<Values>): void {
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers,
      async collect() {
        const values = Object.entries(await read());
        this.reset();
        for (const [key, value] of values) this.set({ [label]: key } as Record<Label, string>, value);
      },
    });
  }
  function counter(name: string, help: string, read: () => number): void {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }
  function counterBy<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    read: () => Iterable<readonly [Readonly<Record<Label, string>>, number]>,
  ): void {
    new Counter({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.inc(labels, value);
      },
    });
  }

  gaugeBy("leasehold_info", "Version of this runtime.", "version", async () => ({ [from.version]: 1 }));

  gauge("leasehold_connections", "Connections that are open, with a session or not yet.", () =>
    from.countConnections(),
  );
  /** Asked once for each scrape, though three metrics tell of it. */
  let sessions: Promise<SessionCounts> | undefined;
  const sessionsNow = (): Promise<SessionCounts> => {
    sessions ??= from.countSessions().finally(() => {
      sessions = undefined;
    });
    return sessions;
  };
  gaugeBy("leasehold_sessions", "Sessions in memory, by whether they have a connection.", "state", async () => {
    const { connected, parked } = await sessionsNow();
    return { connected, parked };
  });
  gauge(
    "leasehold_sessions_behind",
    "Connected sessions that have not been sent all that is there for them.",
    async () => {
      return (await sessionsNow()).behind;
    },
  );
  gauge("leasehold_session_lag_events", "Events that the session furthest behind has not been sent.", async () => {
    return (await sessionsNow()).maxLag;
  });

  gaugeBy("leasehold_jobs", "Unfinished jobs, by state; pending ones wait to run.", "state", async () =>
    from.countUnfinished(),
  );
  counter("leasehold_jobs_accepted_total", "Jobs accepted.", () => tally.accepted);
  counterBy("leasehold_jobs_ended_total", "Jobs that came to their end, by final status.", ["status"], () =>
    [...tally.ended].map(([status, count]) => [{ status }, count] as const),
  );
  counterBy(
    "leasehold_refusals_total",
    "Requests that were refused, submissions and others, by where they came in and error code.",
    ["face", "code"],
    () =>
      (["arcp", "api"] as const).flatMap((face) =>
        [...tally.refused[face]].map(([code, count]) => [{ face, code }, count] as const),
      ),
  );

  counter("leasehold_events_appended_total", "Entries added to the logs of jobs, durably.", () => tally.entries);
  counter(
    "leasehold_events_appended_characters_total",
    "UTF-16 units of JSON in these entries: bytes, as far as they are ASCII.",
    () => tally.length,
  );
  counter("leasehold_commits_failed_total", "Commits that the store rejected.", () => tally.failedCommits);
  addHistogram(
    registry,
    "leasehold_commit_duration_seconds",
    "From the making of a commit to the store's answer, of commits with work of jobs; to whole milliseconds.",
    tally.commitSeconds,
  );
  addHistogram(registry, "leasehold_commit_events", "Log entries in one commit.", tally.commitEntries);
  addHistogram(registry, "leasehold_commit_jobs", "Jobs with work in one commit.", tally.commitJobs);

  gauge("leasehold_store_size_bytes", "What the store holds.", () => from.measureStore());
  counter("leasehold_artifacts_stored_total", "Artifacts stored.", () => from.countArtifacts().artifacts);
  counter(
    "leasehold_artifacts_stored_bytes_total",
    "Bytes of the artifacts stored.",
    () => from.countArtifacts().bytes,
  );
  counterBy(
    "leasehold_audit_decisions_total",
    "Audited decisions: rows written, decisions merged into a row that counts them, and rows lost to a failing store.",
    ["outcome"],
    () => {
      const { written, merged, lost } = from.countAudit();
      return Object.entries({ written, merged, lost }).map(([outcome, count]) => [{ outcome }, count] as const);
    },
  );

  collectDefaultMetrics({ register: registry });
  return registry;
}

/** A histogram of what was counted before this library was there: it can be handed sums only in the form it gives out. */
function addHistogram(registry: Registry, name: string, help: string, bins: Bins): void {
  const histogram = new Histogram({ name, help, buckets: [...bins.bounds], registers: [] });
  const given: Pick<Metric, "get"> = {
    async get() {
      let total = 0;
      const buckets = bins.counts.map((count, index) => {
        total += count;
        return { metricName: `${name}_bucket`, labels: { le: bins.bounds[index] ?? "+Inf" }, value: total };
      });
      const whole = [
        { metricName: `${name}_sum`, labels: {}, value: bins.sum },
        { metricName: `${name}_count`, labels: {}, value: total },
      ];
      return { ...(await histogram.get()), values: [...buckets, ...whole] };
    },
  };
  registry.registerMetric(
    Object.assign(Object.create(histogram) as Histogram, { name, ...given, getForPromString: given.get }),
  );
}
