/**
 * Leases on the wire (§9). Everywhere else an unknown field is ignored; here it is refused, since dropping a bound would
 * widen authority. What a client asks for passes through unchanged: the kernel checks amounts, times and limits.
 */
import * as v from "valibot";
import { isJsonObject, maybe, object, text } from "./fields.ts";

/** Namespaces the draft reserves (§9.2). Others begin with `x-<vendor>.`. */
export const LEASE_NAMESPACES = [
  "fs.read",
  "fs.write",
  "net.fetch",
  "tool.call",
  "agent.delegate",
  "cost.budget",
  "model.use",
] as const;

export type LeaseNamespace = (typeof LEASE_NAMESPACES)[number];
type Patterns = readonly string[];

/** Namespace → patterns, as asked for. */
export type LeaseRequest = { readonly [Namespace in LeaseNamespace]?: Patterns | undefined } & {
  readonly [vendor: `x-${string}`]: Patterns;
};

export interface LeaseConstraints {
  /** ISO 8601 in UTC with the suffix `Z` (§9.5). */
  readonly expires_at?: string | null | undefined;
  /** A ceiling on spending, as amounts such as `USD:5.00`. */
  readonly max_budget?: string | readonly string[] | null | undefined;
}

/** Namespace → patterns, as granted. Runtimes may know namespaces that we do not. */
export type EffectiveLease = Readonly<Record<string, Patterns>>;

const VENDOR_NAMESPACE = /^x-[a-z0-9-]+\../;
const RESERVED: ReadonlySet<string> = new Set(LEASE_NAMESPACES);
const CONSTRAINTS: ReadonlySet<string> = new Set(["expires_at", "max_budget"] satisfies (keyof LeaseConstraints)[]);

function isPatterns(value: unknown): value is Patterns {
  return Array.isArray(value) && value.length > 0 && value.every((pattern) => typeof pattern === "string");
}

/**
 * Adds a problem for the first entry of the map for which `right` returns a phrase that completes "must be …". One is all
 * that is told, and there may be as many as a frame has room for.
 */
function checkEntries<Map extends object>(right: (key: string, value: unknown) => string | undefined) {
  return v.rawCheck<Map>(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const input: unknown = dataset.value;
    // Own keys by name: valibot's records and strict objects pass over `__proto__` and `constructor`.
    for (const [key, value] of Object.entries(dataset.value)) {
      const message = right(key, value);
      if (message === undefined) continue;
      addIssue({ message, input: value, path: [{ type: "unknown", origin: "value", input, key, value }] });
      return;
    }
  });
}

export const leaseRequest = v.pipe(
  v.custom<LeaseRequest>(isJsonObject, "a map of lease namespace to patterns"),
  checkEntries((namespace, patterns) => {
    if (!RESERVED.has(namespace) && !VENDOR_NAMESPACE.test(namespace)) {
      return `left out: a lease has the namespaces ${LEASE_NAMESPACES.join(", ")}, and x-<vendor>.<name>`;
    }
    return isPatterns(patterns) ? undefined : "a non-empty list of pattern strings";
  }),
);

export const leaseConstraints = v.pipe(
  v.custom<LeaseConstraints>(isJsonObject, "an object"),
  checkEntries((name, value) => {
    if (!CONSTRAINTS.has(name)) return `left out: a lease has the constraints ${[...CONSTRAINTS].join(" and ")}`;
    if (value === null || typeof value === "string" || (name === "max_budget" && isPatterns(value))) return undefined;
    return name === "max_budget"
      ? "an amount such as USD:5.00, or a list of them"
      : "a time such as 2026-05-13T23:42:00Z";
  }),
);

export const effectiveLease = v.custom<EffectiveLease>(
  (value) => isJsonObject(value) && Object.values(value).every((patterns) => Array.isArray(patterns)),
  "a map of lease namespace to patterns",
);

/** Constraints as echoed: unknown ones are the runtime's to enforce, and nothing to a reader. */
export const effectiveConstraints = object({ expires_at: maybe(text) });
