/** The gateway's numbers, as Prometheus reads them. Of whom they are is not among them. */

const OUTCOMES = ["answered", "refused", "failed"] as const;
type Outcome = (typeof OUTCOMES)[number];

export interface Tally {
  count(outcome: Outcome): void;
  /** @param gauges what is read at the moment, by name. */
  text(gauges: { readonly calls: number; readonly keys: number }): string;
}

export function createTally(): Tally {
  const counts = { answered: 0, refused: 0, failed: 0 };
  return {
    count(outcome) {
      counts[outcome]++;
    },
    text: ({ calls, keys }) =>
      [
        "# HELP leasehold_gateway_requests_total Requests under /v1 and /keys, by what became of them.",
        "# TYPE leasehold_gateway_requests_total counter",
        ...OUTCOMES.map((outcome) => `leasehold_gateway_requests_total{outcome="${outcome}"} ${counts[outcome]}`),
        "# HELP leasehold_gateway_calls Calls under way.",
        "# TYPE leasehold_gateway_calls gauge",
        `leasehold_gateway_calls ${calls}`,
        "# HELP leasehold_gateway_keys Keys, revoked ones that are still kept among them.",
        "# TYPE leasehold_gateway_keys gauge",
        `leasehold_gateway_keys ${keys}`,
        "",
      ].join("\n"),
  };
}
