/** `POST /api/jobs`: the fields of `job.submit` (§7.1), over HTTP. */
import Type from "typebox";
import { LEASE_LIMITS } from "../../kernel/authority/lease.ts";
import type { Accepted, SubmitRequest } from "../../kernel/job/submit.ts";
import { invalidField } from "../api-error.ts";
import { JobListing } from "../job-view.ts";
import { listed } from "../listed-jobs.ts";
import type { App, RouteContext } from "../route.ts";
import { Name } from "../schemas.ts";

/** As in ARCP: some 31 years, within what dates and timers can express. */
const MAX_RUNTIME_SEC = 1_000_000_000;

const Body = Type.Object(
  {
    agent: Type.String({
      maxLength: 256,
      pattern: "^[a-z0-9][a-z0-9._-]*(@[a-zA-Z0-9.+_-]+)?$",
      description: "name, or name@version",
    }),
    input: Type.Optional(Type.Unknown()),
    lease_request: Type.Optional(
      Type.Record(Type.String(), Type.Array(Type.String(), { maxItems: LEASE_LIMITS.patterns }), {
        maxProperties: LEASE_LIMITS.namespaces,
        description: "namespace to patterns",
      }),
    ),
    lease_constraints: Type.Optional(
      Type.Object(
        {
          expires_at: Type.Optional(Type.String({ description: "ISO 8601 in UTC with the suffix Z" })),
          max_budget: Type.Optional(
            Type.Union([Type.String(), Type.Array(Type.String(), { maxItems: LEASE_LIMITS.currencies })]),
          ),
        },
        { additionalProperties: false },
      ),
    ),
    idempotency_key: Type.Optional(Name),
    max_runtime_sec: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: MAX_RUNTIME_SEC })),
    trace_id: Type.Optional(
      Type.String({ pattern: "^[0-9a-f]{32}$", description: "32 hex digits; drawn when absent" }),
    ),
  },
  { additionalProperties: false },
);

export function addSubmit(app: App, { kernel }: RouteContext): void {
  const schema = {
    operationId: "submitJob",
    summary: "Submits a job",
    description:
      "201 with the accepted job; 200 when the idempotency key belongs to a job accepted before, which is answered. The key may stand in the header Idempotency-Key instead. A traceparent header names the trace where the body does not.",
    body: Body,
    response: { 200: JobListing, 201: JobListing },
  };
  app.post("/api/jobs", { schema }, async ({ body, headers, caller }, reply) => {
    const key = keyOf(body.idempotency_key, headers["idempotency-key"]);
    const header = traceOf(headers.traceparent);
    const traceId = body.trace_id ?? header?.traceId;
    const request: SubmitRequest = {
      principal: caller.principal,
      session: null,
      agent: body.agent,
      input: body.input,
      leaseRequest: body.lease_request,
      leaseConstraints: body.lease_constraints,
      ...(key === undefined ? {} : { idempotencyKey: key }),
      ...(body.max_runtime_sec === undefined ? {} : { maxRuntimeSec: body.max_runtime_sec }),
      ...(traceId === undefined ? {} : { traceId }),
      ...(header === undefined || header.traceId !== traceId ? {} : { traceParent: header.parent }),
    };
    let answer: Accepted | undefined;
    await kernel.submit(request, (accepted) => {
      answer = accepted;
    });
    if (answer === undefined) throw new Error("a submission resolved without having been accepted");
    const { job, repeated } = answer;
    const [listing] = await listed(kernel, [job]);
    return reply
      .code(repeated ? 200 : 201)
      .header("location", `/api/jobs/${job.id}`)
      .send(listing as JobListing);
  });
}

/** The same key may stand in both places; two different ones are a mistake. */
function keyOf(field: string | undefined, header: string | string[] | undefined): string | undefined {
  if (header === undefined) return field;
  if (typeof header !== "string" || header === "" || header.length > 256) {
    throw invalidField("header idempotency-key", "must be one text of 1 to 256 characters");
  }
  if (field !== undefined && field !== header) {
    throw invalidField("body.idempotency_key", "must be the same as in the header idempotency-key");
  }
  return header;
}

/**
 * The trace of a W3C `traceparent`, and its span with flags; what is none is ignored, as the specification of that header
 * has it.
 */
function traceOf(header: string | string[] | undefined): { traceId: string; parent: string } | undefined {
  const [, traceId, span, flags] =
    /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/.exec(String(header ?? "")) ?? [];
  if (traceId === undefined || span === undefined || /^0+$/.test(traceId) || /^0+$/.test(span)) return undefined;
  return { traceId, parent: `${span}-${flags}` };
}
