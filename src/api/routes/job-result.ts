/** `GET /api/jobs/{job_id}/result`: the result by itself, whichever way the agent gave it. */

import { Readable } from "node:stream";
import Type from "typebox";
import { shownStatus } from "../../kernel/job/job-record.ts";
import { isTerminal } from "../../kernel/job/job-state.ts";
import type { ResultPiece } from "../../kernel/log/streamed-result.ts";
import { CodedError } from "../../protocol/errors.ts";
import { EVENT_KINDS } from "../../protocol/event-kinds.ts";
import { HttpError } from "../api-error.ts";
import type { App, RouteContext } from "../route.ts";
import { Bytes, JobParams, Nothing } from "../schemas.ts";
import { inlineResult, TERMINAL_CODES } from "../terminal.ts";
import { findVisibleJob } from "../visible-job.ts";

export function addJobResult(app: App, context: RouteContext): void {
  const { kernel } = context;
  const schema = {
    operationId: "readJobResult",
    summary: "The result of a job that succeeded: JSON as the agent returned it, or the bytes it streamed",
    description: "204 when the agent returned nothing; 409 when there is no result, or none yet (retryable).",
    params: JobParams,
    response: {
      200: {
        description: "An inline result is JSON; a streamed one is text/plain in UTF-8, or application/octet-stream",
        content: {
          "application/json": { schema: Type.Unsafe<Buffer>({}) },
          "text/plain": { schema: Bytes },
          "application/octet-stream": { schema: Bytes },
        },
      },
      204: Nothing,
    },
  };
  app.get("/api/jobs/:job_id([^:/]+)/result", { schema }, async (request, reply) => {
    const job = await findVisibleJob(context, request.caller.principal, request.params.job_id);
    const status = shownStatus(job.status);
    if (!isTerminal(job.status)) {
      const details = { status };
      throw new HttpError(409, "INVALID_REQUEST", `job ${job.id} has not ended`, { retryable: true, details });
    }
    const terminal = await kernel.readLatest(job.id, TERMINAL_CODES);
    if (terminal === undefined) throw new CodedError("INTERNAL_ERROR", `the end of job ${job.id} cannot be read`);
    if (terminal.code !== EVENT_KINDS.result.code) {
      const { code, message } = JSON.parse(terminal.payload);
      const details = { status, code };
      throw new HttpError(409, "INVALID_REQUEST", `job ${job.id} has no result: ${message}`, { details });
    }
    const inline = inlineResult(terminal.payload);
    // Handed to fastify as bytes: a text it would make JSON of once more.
    if (inline !== undefined) return reply.type("application/json; charset=utf-8").send(Buffer.from(inline));
    const { result_id, result_size } = JSON.parse(terminal.payload);
    if (result_id === undefined) return reply.code(204).send();

    context.answers.watch(request.caller.principal, reply.raw);
    const pieces = kernel.readResult(job.id, result_id);
    const first = await pieces.next();
    const isText = first.done === true || first.value.encoding === "utf8";
    reply.header("content-length", String(result_size)).header("content-disposition", "attachment");
    reply.type(isText ? "text/plain; charset=utf-8" : "application/octet-stream");
    return reply.send(Readable.from(first.done === true ? [] : bytesOf(first.value, pieces)));
  });
}

async function* bytesOf(first: ResultPiece, rest: AsyncIterable<ResultPiece>): AsyncGenerator<Buffer, void, void> {
  yield Buffer.from(first.data, first.encoding);
  for await (const { data, encoding } of rest) yield Buffer.from(data, encoding);
}
