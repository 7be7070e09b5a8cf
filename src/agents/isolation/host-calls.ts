/**
 * What an agent's process may ask of its job's host, by name: each reads its arguments as a stranger's, and returns what
 * the process is told. A new method of `JobHost` is one entry here and one in `remote-host.ts`.
 */
import type { DelegatedJob, DelegateRequest, JobHost } from "../../kernel/agents-port.ts";
import type { Amounts } from "../../kernel/authority/amounts.ts";
import type { PermissionAsk } from "../../kernel/authority/permission-ask.ts";
import { MAX_STEP_LENGTH } from "../../kernel/job/attempt.ts";
import type { Metric } from "../../kernel/job/metric.ts";
import type { ReservationHandle } from "../../kernel/job/reservations.ts";
import { Turnstile } from "../../kernel/turnstile.ts";
import { labelOf, refOf } from "../artifacts.ts";
import { requestResolved } from "../request-permission.ts";
import { collect } from "./content.ts";
import type { ToldValue } from "./remote-host.ts";
import { membersOf, requireOptionalText, requireText, Violation } from "./violation.ts";

/**
 * @param content reads what goes along with the call, piece by piece. To be called once at most.
 * @param send sends bytes ahead of the answer, as fast as the process takes them. To be called once at most.
 * @throws Violation for arguments that the context of an honest agent does not send.
 */
export type HostCall = (
  args: readonly unknown[],
  content: () => AsyncIterable<Uint8Array>,
  send: (bytes: Uint8Array) => Promise<void>,
) => unknown;

/**
 * Calls that may take as long as the job, waiting for other jobs or for what the process sends later. Of all others a few go
 * on at a time.
 */
export const LASTING_CALLS: ReadonlySet<string> = new Set([
  "putArtifact",
  "recordLongStep",
  "childResult",
  "cancelChild",
  "requestPermission",
]);

/** Longest name of a step, as in `ctx.step`. */
const MAX_STEP_NAME_LENGTH = 256;
/** UTF-8 of the longest value of a step. */
const MAX_STEP_BYTES = MAX_STEP_LENGTH * 3;
/** A longer result of a child is sent as bytes, in UTF-16 units. */
const MAX_TOLD_LENGTH = 262_144;

export function createHostCalls(host: JobHost): Readonly<Record<string, HostCall>> {
  const reservations = new Map<string, ReservationHandle>();
  const children = new Map<string, DelegatedJob>();
  /** What is held in memory whole goes one by one. */
  const large = new Turnstile(1);

  return {
    check: ([namespace, target, operation, digest]) => {
      const text = optionalText(digest, "digest");
      return host.guard.check({
        namespace: requireText(namespace, "namespace"),
        target: requireText(target, "target"),
        ...(absent(operation) ? {} : { operation: requireText(operation, "operation") }),
        ...(text === undefined ? {} : { digest: () => text }),
      });
    },
    // The host checks every member.
    requestPermission: ([ask]) =>
      requestResolved((asked) => host.requestPermission(asked), membersOf(ask, "ask") as unknown as PermissionAsk),
    flush: () => host.flush(),
    // The host checks every member, and writes the event from what it checked.
    report: ([metric]) => host.report(membersOf(metric, "metric") as unknown as Metric),
    recordStep: ([name, value]) => host.recordStep(stepName(name), value === null ? null : requireText(value, "value")),
    recordLongStep: ([name], content) =>
      large.run(async () => host.recordStep(stepName(name), (await collect(content(), MAX_STEP_BYTES)).toString())),

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
    async childResult([id], _content, send) {
      const child = known(children, id, "child");
      await child.ended?.();
      return await large.run(async () => told(await child.result(), send));
    },
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

async function told(value: unknown, send: (bytes: Uint8Array) => Promise<void>): Promise<ToldValue> {
  if (value instanceof Uint8Array) {
    await send(value);
    return { sent: "bytes" };
  }
  if (typeof value !== "string" || value.length <= MAX_TOLD_LENGTH) return { value };
  await send(Buffer.from(value));
  return { sent: "text" };
}

function stepName(value: unknown): string {
  const name = requireText(value, "name");
  if (name.length > MAX_STEP_NAME_LENGTH) throw new Violation("a step with too long a name");
  return name;
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
