/** What an agent says it needs of a lease, so that a submission without it explains itself. */
import { parseLease } from "../kernel/authority/lease.ts";
import { targetKind } from "../kernel/authority/targets.ts";
import type { Need as KernelNeed } from "../kernel/job/needs.ts";
import { LEASE_NAMESPACES, type LeaseNamespace } from "../protocol/lease-fields.ts";

/** In words what for; or that, and the patterns that would do, which may depend on the input. */
export type Need<Input = unknown> =
  | string
  | {
      readonly why: string;
      /**
       * As in a lease; amounts such as `USD:5.00` for `cost.budget`. As a function: of the input as `run` gets it; it must be
       * quick. Default: the widest there is, and one unit of money.
       */
      readonly patterns?: readonly string[] | ((input: Input) => readonly string[]);
    };

/** Lease namespace (§9.2, or `x-<vendor>.<name>`) → what it is needed for. */
export type Needs<Input = unknown> = { readonly [Namespace in LeaseNamespace]?: Need<Input> } & {
  readonly [vendor: `x-${string}`]: Need<Input>;
};

const NAMESPACES: ReadonlySet<string> = new Set(LEASE_NAMESPACES);
const VENDOR_NAMESPACE = /^x-[a-z0-9-]+(\.[A-Za-z0-9_-]+)+$/;
/** Longest `why`, in UTF-16 units: it goes into every refusal. */
const MAX_WHY_LENGTH = 500;

const WIDEST = { path: "/**", url: "**", agent: "*", name: "*" } as const;

/** @throws TypeError that names the field and what would be right. */
export function assertNeeds(agent: string, needs: Readonly<Record<string, unknown>>): void {
  if (typeof needs !== "object" || needs === null || Array.isArray(needs)) {
    throw new TypeError(`agent ${agent}: needs must say what each is for, such as { "fs.read": "the files to count" }`);
  }
  for (const [namespace, need] of Object.entries(needs)) {
    const field = `agent ${agent}: needs["${namespace}"]`;
    if (!NAMESPACES.has(namespace) && !VENDOR_NAMESPACE.test(namespace)) {
      throw new TypeError(`${field}: there are ${LEASE_NAMESPACES.join(", ")}, and x-<vendor>.<name>`);
    }
    const { why, patterns } = partsOf(need);
    if (typeof why !== "string" || why === "" || why.length > MAX_WHY_LENGTH) {
      throw new TypeError(`${field}: say in words what for, in 1 to ${MAX_WHY_LENGTH} characters`);
    }
    const isList = Array.isArray(patterns) && patterns.length > 0 && patterns.every((text) => typeof text === "string");
    if (patterns !== undefined && typeof patterns !== "function" && !isList) {
      throw new TypeError(
        `${field}.patterns must be a list of strings that is not empty, or a function that gives one`,
      );
    }
    if (Array.isArray(patterns)) assertLease(field, namespace, patterns);
  }
}

/** What is suggested is to be pasted: it must be a lease. What a function gives is looked at when it is asked. */
function assertLease(field: string, namespace: string, patterns: readonly string[]): void {
  try {
    parseLease({ [namespace]: patterns }, undefined, 0);
  } catch (error) {
    throw new TypeError(`${field}.patterns: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** What the kernel asks; undefined for an agent that needs nothing. */
export function kernelNeeds(needs: Needs): readonly KernelNeed[] | undefined {
  const entries = Object.entries(needs);
  if (entries.length === 0) return undefined;
  return entries.map(([namespace, need]) => {
    const { why, patterns = widestOf(namespace) } = partsOf(need);
    return { namespace, why, suggest: (input) => (typeof patterns === "function" ? patterns(input) : patterns) };
  });
}

function partsOf(need: unknown): Exclude<Need, string> {
  return typeof need === "object" && need !== null ? (need as Exclude<Need, string>) : { why: need as string };
}

function widestOf(namespace: string): readonly string[] {
  return [namespace === "cost.budget" ? "USD:1.00" : WIDEST[targetKind(namespace)]];
}
