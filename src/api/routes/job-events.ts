/** `GET /api/jobs/{job_id}/events`: a job's log as lines of JSON, to its end as it is now, or as it goes on. */
import Type, { type Static } from "typebox";
import type { JobId } from "../../kernel/ids.ts";
import { readLog } from "../../kernel/log/read-log.ts";
import { type EntryKind, EVENT_KINDS, messageOfCode } from "../../protocol/event-kinds.ts";
import { invalidField } from "../api-error.ts";
import type { App, RouteContext } from "../route.ts";
import { JobParams } from "../schemas.ts";
import { TERMINAL_CODES } from "../terminal.ts";
import { findVisibleJob } from "../visible-job.ts";

const KINDS = (Object.keys(EVENT_KINDS) as EntryKind[]).filter(
  (kind) => !TERMINAL_CODES.includes(EVENT_KINDS[kind].code),
);

const Query = Type.Object(
  {
    after: Type.Optional(Type.Integer({ minimum: 0, default: 0, description: "begin after this job_seq" })),
    limit: Type.Optional(Type.Integer({ minimum: 1, description: "end after this many lines" })),
    kinds: Type.Optional(
      Type.String({
        maxLength: 256,
        description: `only these, with commas between: ${KINDS.join(", ")}. The terminal comes in any case`,
      }),
    ),
    follow: Type.Optional(
      Type.Boolean({ default: false, description: "go on until the job has ended; blank lines mean: still here" }),
    ),
  },
  { additionalProperties: false },
);

/** One line. Its payload is that of the ARCP message of this type. */
const EventLine = Type.Object({
  type: Type.Enum(["job.event", "job.result", "job.error"]),
  job_id: Type.String(),
  payload: Type.Record(Type.String(), Type.Unknown(), { description: "holds job_seq, the line's place in the log" }),
});

export function addJobEvents(app: App, context: RouteContext): void {
  const { kernel, followers, visibility } = context;
  const schema = {
    operationId: "readJobEvents",
    summary: "A job's log, a line of JSON each; with follow=1 as it goes on, until the job has ended",
    params: JobParams,
    querystring: Query,
    response: { 200: { content: { "application/x-ndjson": { schema: EventLine } } } },
  };
  app.get("/api/jobs/:job_id([^:/]+)/events", { schema }, async (request, reply) => {
    const { params, query, caller } = request;
    const job = await findVisibleJob(context, caller.principal, params.job_id);
    const codes = query.kinds === undefined ? undefined : codesOf(query.kinds);
    const head = (await kernel.readHeads([job.id])).get(job.id) ?? 0;
    const { after = 0 } = query;
    if (after > head) throw invalidField("query.after", `must be at most ${head}, where the log ends now`);
    await followers.answer(reply, {
      caller,
      // What is left of a log when its job is removed would be waited for without end.
      mayRead: async (principal) =>
        visibility.mayObserve(principal, job) && (await kernel.readJob(job.id)) !== undefined,
      lines: (signal) => eventLines(context, job.id, { ...query, after, head, codes }, signal),
    });
  });
}

function codesOf(kinds: string): string {
  const codes = kinds.split(",").map((kind) => {
    if (!(KINDS as readonly string[]).includes(kind)) {
      throw invalidField("query.kinds", `must be some of ${KINDS.join(", ")}, with commas between`);
    }
    return EVENT_KINDS[kind as EntryKind].code;
  });
  return codes.join("") + TERMINAL_CODES;
}

interface Reading extends Pick<Static<typeof Query>, "follow" | "limit"> {
  readonly after: number;
  /** Where the log ended when it was asked for. */
  readonly head: number;
  /** Codes to be told of; all when undefined. */
  readonly codes: string | undefined;
}

async function* eventLines(
  { kernel, world: { timers } }: Pick<RouteContext, "kernel" | "world">,
  job: JobId,
  { after, head, codes, limit = Number.POSITIVE_INFINITY, follow = false }: Reading,
  signal: AbortSignal,
): AsyncGenerator<string, void, void> {
  let left = limit;
  const chunks = follow
    ? kernel.follow(job, after, signal)
    : readLog(kernel, timers, { job, after, upTo: head, holding: codes });
  for await (const chunk of chunks) {
    if (signal.aborted) return;
    let text = "";
    for (let index = 0; index < chunk.kinds.length && left > 0; index++) {
      const code = chunk.kinds.charAt(index);
      if (codes !== undefined && !codes.includes(code)) continue;
      text += `{"type":"${messageOfCode(code)}","job_id":"${job}","payload":${chunk.payloads[index]}}\n`;
      left--;
    }
    yield text;
    if (left === 0) return;
  }
}
