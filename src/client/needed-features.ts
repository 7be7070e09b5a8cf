/** Which features a request makes use of, so that none goes out that was not negotiated (§6.2). Pure. */
import type { Feature } from "../protocol/features.ts";
import { MESSAGES, type MessageEntry, type PayloadOf } from "../protocol/registry.ts";
import { RequestError } from "./errors.ts";
import type { AnyRequest } from "./requests.ts";

/** @throws RequestError INVALID_REQUEST, as the runtime would answer, with `details.feature`. */
export function assertNegotiated(message: AnyRequest["message"], negotiated: readonly string[]): void {
  const { feature }: MessageEntry = MESSAGES[message.type];
  const needed = feature === undefined ? [] : [feature];
  if (message.type === "job.submit") needed.push(...featuresOf(message.payload));
  const missing = needed.find((name) => !negotiated.includes(name));
  if (missing === undefined) return;
  const text = `${message.type} would use the feature ${missing}, which this session did not negotiate`;
  throw new RequestError({ code: "INVALID_REQUEST", message: text, retryable: false, details: { feature: missing } });
}

function featuresOf({
  agent,
  lease_request: lease,
  lease_constraints: constraints,
}: PayloadOf<"job.submit">): Feature[] {
  const used: Feature[] = [];
  if (agent.includes("@")) used.push("agent_versions");
  if (lease?.["cost.budget"] !== undefined || constraints?.max_budget != null) used.push("cost.budget");
  if (lease?.["model.use"] !== undefined) used.push("model.use");
  if (constraints?.expires_at != null) used.push("lease_expires_at");
  return used;
}
