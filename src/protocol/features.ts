/** Feature flags and their negotiation (§6.2). A feature outside the intersection is neither used nor sent. */

/** Every feature this runtime knows. Vendor features begin with `x-`. */
export const FEATURES = [
  "heartbeat",
  "ack",
  "list_jobs",
  "subscribe",
  "lease_expires_at",
  "cost.budget",
  "model.use",
  "provisioned_credentials",
  "progress",
  "result_chunk",
  "agent_versions",
  "x-leasehold.control",
  "x-leasehold.delegation",
  "x-leasehold.permissions",
] as const;

export type Feature = (typeof FEATURES)[number];

/**
 * What the runtime advertises today: all it knows, less what it does not yet do. `provisioned_credentials` needs
 * a provisioner and a durable ledger of keys (§9.8), and is left out until there are both.
 */
export const ADVERTISED_FEATURES: readonly Feature[] = FEATURES.filter(
  (feature) => feature !== "provisioned_credentials",
);

/** The features both sides named, in the order of `FEATURES`. Unknown names are ignored. */
export function intersectFeatures(
  theirs: readonly string[],
  ours: readonly Feature[] = ADVERTISED_FEATURES,
): readonly Feature[] {
  const named = new Set(theirs);
  return ours.filter((feature) => named.has(feature));
}
