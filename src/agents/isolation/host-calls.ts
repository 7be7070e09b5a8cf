/**
 * What an agent's process may ask of its job's host, by name: each reads its arguments as a stranger's, and returns what
 * the process is told. A new method of `JobHost` is one entry here and one in `remote-host.ts`.
 */
import type { DelegatedJob, DelegateRequest, JobHost } from "../../kernel/agents-port.ts";
import type { Amounts } from "../../kernel/authority/amounts.ts";
import type { Metric } from "../../kernel/job/metric.ts";
import type { ReservationHandle } from "../../kernel/job/reservations.ts";
import { labelOf, refOf } from "../artifacts.ts";
import type { ToldValue } from "./remote-host.ts";
import { membersOf, requireOptionalText, requireText, Violation } from "./violation.ts";

/**
 * @param content reads what goes along with the call, piece by piece. To be called once at most.
 * @throws Violation for arguments that the context of an honest agent does not send.
 */
export type HostCall = (args: readonly unknown[], content: () => AsyncIterable<Uint8Array>) => unknown;

export function createHostCalls(host: JobHost): Readonly<Record<string, HostCall>> {
  const reservations = new Map<string, ReservationHandle>();
  const children = new Map<string, DelegatedJob>();

  return {
    check: ([namespace, target]) =>
      host.guard.check({ namespace: requireText(namespace, "namespace"), target: requireText(target, "target") }),
    flush: () => host.flush(),
    // The host checks every member, and writes the event from what it checked.
    report: ([metric]) => host.report(membersOf(metric, "metric") as unknown as Metric),
    recordStep: ([name, value]) =>
      host.recordStep(requireText(name, "name"), value === null ? null : requireText(value, "value")),

    putArtifact: ([name, contentType], content) => {
      const label = labelOf({
        ...(absent(name) ? {} : { name: requireText(name, "name") }),
        contentType: requireText(contentType, "contentType"),
        data: "",
      });
      return host.putArtifact(label, content(), (row) => JSON.stringify(refOf(row)));
    },

    async reserve([amounts, key]) {
      const reservation = await host.reserve(membersOf(amounts, "amounts") as Amounts, optionalText(key, "key"));
      const { id, committed } = reservation;
      reservations.set(id, reservation);
      return { id, committed };
    },
    commitReservation: ([id, actual, name]) =>
      known(reservations, id, "reservation").commit(
        absent(actual) ? undefined : (membersOf(actual, "actual") as Amounts),
        optionalText(name, "name"),
      ),
    releaseReservation: ([id]) => known(reservations, id, "reservation").release(),

    async delegate([request]) {
      const child = await host.delegate(requestOf(request));
      const { jobId, delegateId, agent } = child;
      children.set(jobId, child);
      return { jobId, delegateId, agent };
    },
    childResult: async ([id]) => told(await known(children, id, "child").result()),
    cancelChild: ([id, reason]) => known(children, id, "child").cancel(optionalText(reason, "reason")),
  };
}

/** Only what a request has: nothing that the host may come to read in it one day. */
function requestOf(value: unknown): DelegateRequest {
  const { agent, input, leaseRequest, leaseConstraints, maxRuntimeSec, key, traceParent } = membersOf(value, "request");
  if (maxRuntimeSec !== undefined && typeof maxRuntimeSec !== "number")
    throw new Violation("maxRuntimeSec must be a number");
  const keyText = requireOptionalText(key, "key");
  const span = requireOptionalText(traceParent, "traceParent");
  return {
    agent: requireText(agent, "agent"),
    input,
    leaseRequest,
    leaseConstraints,
    ...(maxRuntimeSec === undefined ? {} : { maxRuntimeSec }),
    ...(keyText === undefined ? {} : { key: keyText }),
    ...(span === undefined ? {} : { traceParent: span }),
  };
}

function told(value: unknown): ToldValue {
  return value instanceof Uint8Array ? { base64: Buffer.from(value).toString("base64") } : { value };
}

/** An argument that was left out arrives as `null`. */
function absent(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

function optionalText(value: unknown, what: string): string | undefined {
  return absent(value) ? undefined : requireText(value, what);
}

function known<Value>(values: ReadonlyMap<string, Value>, id: unknown, what: string): Value {
  const value = values.get(requireText(id, "id"));
  if (value === undefined) throw new Violation(`a ${what} that it does not have`);
  return value;
}
