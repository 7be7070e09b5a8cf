/** What bounds one job and who it is, as far as messages have told: from its descriptor, and from events since. */
import type { EffectiveLease } from "../protocol/lease-fields.ts";
import type { MessageOf, PayloadOf } from "../protocol/registry.ts";

/** An upstream key that was minted for one job (§9.8). `value` is a secret: not to be logged, nor kept beyond the job. */
export interface Credential {
  readonly id: string;
  readonly scheme: "bearer";
  readonly value: string;
  /** The base URL at which it is valid, and the only one it may be presented to. */
  readonly endpoint: string;
  /** Which protocol is spoken there, such as `openai`. */
  readonly profile: string | undefined;
  /** What the upstream enforces of the lease; what is not named here may be enforced elsewhere. */
  readonly constraints: Readonly<Record<string, unknown>> | undefined;
}

/** `job.accepted` or `job.subscribed`. */
export type JobDescriptor = PayloadOf<"job.accepted"> | PayloadOf<"job.subscribed">;

export class JobBounds {
  agent = "";
  lease: EffectiveLease = {};
  expiresAt: string | undefined;
  traceId: string | undefined;
  parentJobId: string | undefined;
  delegateId: string | undefined;
  budget: Readonly<Record<string, number>> = {};
  credentials: readonly Credential[] = [];

  /** What a subscription said remains, while older events are still replayed. */
  #told: Readonly<Record<string, number>> = {};

  /** Takes what a descriptor says. Of the budget, what events have reported since is newer. */
  describe(descriptor: JobDescriptor): void {
    this.agent = descriptor.agent ?? this.agent;
    this.lease = descriptor.lease;
    this.expiresAt = descriptor.lease_constraints?.expires_at;
    this.traceId = descriptor.trace_id;
    this.parentJobId = descriptor.parent_job_id;
    this.delegateId = descriptor.delegate_id ?? this.delegateId;
    this.budget = { ...descriptor.budget, ...this.budget };
    if ("replayed" in descriptor && descriptor.replayed) this.#told = { ...descriptor.budget };
    // Left out of a descriptor means that it is not this caller's to see, or that there is none.
    this.credentials = usable(descriptor.credentials ?? []);
  }

  /** Takes what an event says. Returns the event to keep: without the secret of a new key. */
  account(message: MessageOf<"job.event">): MessageOf<"job.event"> {
    const { kind, body } = message.payload;
    if (kind === "metric") {
      const { name, value, unit } = body;
      if (name === "cost.budget.remaining" && typeof value === "number" && typeof unit === "string") {
        this.#remains(unit, value);
      }
    } else if (kind === "status" && body.phase === "credential_rotated") {
      return this.#rotate(message);
    }
    return message;
  }

  /** §9.8.2: a key is not kept beyond its job. */
  forgetCredentials(): void {
    this.credentials = [];
  }

  /** What remains only ever shrinks: a larger amount is of before the subscription. */
  #remains(unit: string, value: number): void {
    const { [unit]: told, ...others } = this.#told;
    if (told !== undefined && value > told) return;
    this.#told = others;
    this.budget = { ...this.budget, [unit]: value };
  }

  #rotate(message: MessageOf<"job.event">): MessageOf<"job.event"> {
    const { value, ...told } = message.payload.body;
    if (typeof value !== "string") return message;
    this.credentials = this.credentials.map((known) => (known.id === told.id ? { ...known, value } : known));
    return { ...message, payload: { ...message.payload, body: told } };
  }
}

/** Keys of other schemes are nothing to a client that does not know them (§9.8.1). */
function usable(credentials: NonNullable<JobDescriptor["credentials"]>): readonly Credential[] {
  return credentials.flatMap(({ id, scheme, value, endpoint, profile, constraints }) =>
    scheme === "bearer" ? [{ id, scheme, value, endpoint, profile, constraints }] : [],
  );
}
