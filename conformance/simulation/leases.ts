/** Leases that a run asks for: of each namespace one of a chain of patterns, each of which covers those after it. */
import type { Lease } from "../../src/kernel/authority/lease.ts";
import type { Draw } from "./draw.ts";

/** As `lease_request` and `lease_constraints` on the wire. */
export interface LeaseAsk {
  readonly request: Readonly<Record<string, readonly string[]>>;
  readonly constraints?: { readonly expires_at: string };
}

const CHAINS = {
  "tool.call": ["*", "work*", "work-a*", "work-ab"],
  "fs.read": ["/**", "/data/**", "/data/a/**", "/data/a/*.txt", "/data/a/x.txt"],
  "net.fetch": ["https://api.example.com/**", "https://api.example.com/v1/**", "https://api.example.com/v1/*"],
  "model.use": ["*", "acme/**", "acme/mini-*", "acme/mini-1"],
  "agent.delegate": ["*", "*er", "planner"],
  "x-sim.db": ["**", "users/**", "users/**/orders", "users/4?/orders"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

type Namespace = keyof typeof CHAINS;
const NAMESPACES = Object.keys(CHAINS) as Namespace[];

/** Currencies that a lease may budget; jobs also report costs in one that none does. */
export const CURRENCIES = ["USD", "credits"] as const;
export const FREE_CURRENCY = "EUR";

/** What a root asks for: most namespaces, mostly a budget, sometimes an end. */
export function drawLease(draw: Draw, now: number): LeaseAsk {
  const request: Record<string, readonly string[]> = {};
  for (const namespace of NAMESPACES) {
    if (namespace === "agent.delegate") request[namespace] = ["*"];
    else if (draw.chance(0.85)) request[namespace] = [CHAINS[namespace][draw.int(2)] ?? "*"];
  }
  const budget = CURRENCIES.filter(() => draw.chance(0.75)).map((currency) => `${currency}:${drawAmount(draw, 12)}`);
  if (budget.length > 0) request["cost.budget"] = budget;
  if (!draw.chance(0.3)) return { request };
  return {
    request,
    constraints: { expires_at: new Date(now + 20 + draw.int(draw.chance(0.5) ? 500 : 10_000)).toISOString() },
  };
}

export interface SubLease extends LeaseAsk {
  /** It asks for what the parent does not have: it must be refused. */
  readonly wider: boolean;
}

/** What a child asks for: mostly less than its parent has, sometimes more. */
export function drawSubLease(draw: Draw, parent: Lease, now: number): SubLease {
  const request: Record<string, readonly string[]> = {};
  let wider = false;
  for (const namespace of NAMESPACES) {
    const chain: readonly string[] = CHAINS[namespace];
    const level = chain.indexOf(parent.grants[namespace]?.[0] ?? "");
    const reaches = draw.chance(0.02);
    if (reaches && level !== 0) {
      request[namespace] = [chain[Math.max(0, level - 1)] ?? "*"];
      wider = true;
    } else if (level >= 0 && draw.chance(0.7)) {
      const narrower = chain.slice(level);
      request[namespace] = draw.chance(0.3) ? narrower.slice(-2) : [narrower[draw.int(narrower.length)] ?? "*"];
    }
  }
  const budget = CURRENCIES.filter(() => draw.chance(0.6)).map((currency) => `${currency}:${drawAmount(draw, 5)}`);
  if (budget.length > 0) request["cost.budget"] = budget;
  if (!draw.chance(0.3)) return { request, wider };
  const latest = parent.expiresAt ?? now + 20_000;
  const late = parent.expiresAt !== null && draw.chance(0.1);
  const at = late ? latest + 1 + draw.int(2) : Math.max(now + 1, latest - draw.int(5_000));
  return {
    request,
    constraints: { expires_at: new Date(at).toISOString() },
    // So near its own end there may be no moment left that is neither past nor too late.
    wider: wider || late || at > latest,
  };
}

/** A pattern that a lease may have, of a namespace whose targets are asked for without a look at the disk. */
export function drawPattern(draw: Draw): readonly [namespace: string, pattern: string] {
  const namespace = draw.pick<Namespace>(["tool.call", "net.fetch", "model.use", "x-sim.db"]);
  const chain: readonly string[] = CHAINS[namespace];
  return [namespace, chain[draw.int(chain.length)] ?? "*"];
}

/** A decimal below `below` with up to 18 digits after the point, as text. */
export function drawAmount(draw: Draw, below: number): string {
  const places = draw.pick([0, 1, 2, 3, 18]);
  const fraction = Array.from({ length: places }, () => draw.int(10)).join("");
  return `${draw.int(below)}${places === 0 ? "" : `.${fraction}`}`;
}
