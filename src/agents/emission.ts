/** The one way from an agent's context to its job's log. */
import type { AppendedKind, JobHost } from "../kernel/agents-port.ts";
import type { Metric } from "../kernel/job/metric.ts";

/** Runs a function outside the attempt's async context (`AsyncLocalStorage.snapshot`). */
export type Outside = <Args extends unknown[], Result>(run: (...args: Args) => Result, ...args: Args) => Result;

/**
 * Appends an entry whose body `write` makes, and never throws: what goes wrong is the promise's rejection.
 * @param name the kind on the wire; differs from `kind` only for vendor kinds.
 */
export type Emit = (kind: AppendedKind, name: string, write: () => string) => Promise<void>;

/** Puts a metric on the log, and charges what it costs; never throws, as `Emit`. */
export type Report = (metric: Metric) => Promise<void>;

/** Shared by all emissions that found room, which on a busy log is nearly all of them. */
const ROOM: Promise<void> = Promise.resolve();

const ignore = (): void => {};

/**
 * The host is called outside the attempt's async context: what it starts (a commit, a publication to everyone) belongs
 * to the process, and its failures must not be taken for the agent's.
 */
export function createEmit(host: JobHost, outside: Outside): Emit {
  const append = (kind: AppendedKind, name: string, body: string) => host.append(kind, name, body);
  return (kind, name, write) => {
    try {
      return emitted(outside(append, kind, name, write()));
    } catch (error) {
      return refused(host, error);
    }
  };
}

export function createReport(host: JobHost, outside: Outside): Report {
  const report = (metric: Metric) => host.report(metric);
  return (metric) => {
    try {
      return emitted(outside(report, metric));
    } catch (error) {
      return refused(host, error);
    }
  };
}

function emitted(room: Promise<void> | undefined): Promise<void> {
  if (room === undefined) return ROOM;
  room.catch(ignore);
  return room;
}

function refused(host: JobHost, error: unknown): Promise<void> {
  const rejected = Promise.reject<void>(error);
  // An agent that does not await its emissions has done nothing wrong when its job is stopped.
  if (host.signal.aborted) rejected.catch(ignore);
  return rejected;
}
