/**
 * `GET /api/artifacts/{artifact_id}`: what a job left behind, to whoever may see the job. Agents make these bytes, so no
 * browser may take them for a page of ours: they are always a download, of the type they were given and no other.
 */
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import Type from "typebox";
import type { ArtifactRow, ByteRange } from "../../kernel/ports.ts";
import { CodedError } from "../../protocol/errors.ts";
import { HttpError } from "../api-error.ts";
import type { Caller } from "../caller.ts";
import type { App, RouteContext } from "../route.ts";
import { Bytes, Name, Nothing } from "../schemas.ts";
import { lookAt } from "../visible-job.ts";

const PATH = "/api/artifacts/:artifact_id";

export function addArtifact(app: App, context: RouteContext): void {
  const described = {
    params: Type.Object({ artifact_id: Name }, { additionalProperties: false }),
    response: {
      200: { description: "All of it", content: { "application/octet-stream": { schema: Bytes } } },
      206: { description: "A range of it", content: { "application/octet-stream": { schema: Bytes } } },
      304: Nothing,
    },
  };
  const read = {
    ...described,
    operationId: "readArtifact",
    summary: "The bytes of an artifact, or a range of them",
    description:
      "Takes Range with one range of bytes, If-None-Match and If-Range; the ETag is the content's SHA-256. The content type is the artifact's.",
  };
  const look = {
    ...described,
    operationId: "lookAtArtifact",
    summary: "The headers of an artifact, without its bytes",
  };

  app.head(PATH, { schema: look }, async (request, reply) => {
    const artifact = await findArtifact(context, request.caller, request.params.artifact_id);
    introduce(reply, artifact);
    return reply.header("content-length", String(artifact.size)).send(Readable.from([]));
  });

  app.get(PATH, { schema: read }, async (request, reply) => {
    const { headers, params, caller } = request;
    const artifact = await findArtifact(context, caller, params.artifact_id);
    const etag = introduce(reply, artifact);
    if (matches(headers["if-none-match"], etag)) return reply.code(304).send(undefined);
    const wanted = headers["if-range"] === undefined || headers["if-range"] === etag ? headers.range : undefined;
    const range = parseRange(wanted, artifact.size);
    context.answers.watch(caller.principal, reply.raw);
    const content = await context.kernel.openArtifact(artifact, range);
    if (content === undefined) throw notFound(artifact.id);
    if (range !== undefined) {
      reply.code(206).header("content-range", `bytes ${range.from}-${range.to}/${artifact.size}`);
    }
    reply.header("content-length", String(range === undefined ? artifact.size : range.to - range.from + 1));
    return reply.send(Readable.from(content, { objectMode: false }));
  });
}

function notFound(id: string): CodedError {
  return new CodedError("JOB_NOT_FOUND", `there is no artifact ${id} that you may see`);
}

/** Which job it is of is nothing to who may not see that job: neither in the answer nor in the audit. */
async function findArtifact(context: RouteContext, { principal }: Caller, id: string): Promise<ArtifactRow> {
  const artifact = await context.kernel.readArtifact(id);
  const job = artifact && (await context.kernel.readJob(artifact.job));
  const mayKnow = job !== undefined && context.visibility.mayObserve(principal, job);
  const asked = { job: mayKnow ? job.id : null, details: { artifact: id } };
  if (!lookAt(context, principal, job, asked) || artifact === undefined) throw notFound(id);
  return artifact;
}

/** Sets what is said of an artifact however much of it is sent; returns its ETag. */
function introduce(reply: FastifyReply, { id, name, contentType, sha256 }: ArtifactRow): string {
  const etag = `"${sha256}"`;
  reply.type(safeType(contentType)).headers({
    etag,
    "accept-ranges": "bytes",
    "cache-control": "private, no-cache",
    "content-disposition": disposition(name ?? id),
    "content-security-policy": "sandbox; default-src 'none'",
  });
  return etag;
}

/** Agents name types; what could break out of the header, or is none, is bytes. */
function safeType(contentType: string): string {
  return /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(; ?[\w-]+=[\w."+-]+)*$/.test(contentType)
    ? contentType
    : "application/octet-stream";
}

/** RFC 6266: a name for those who read ASCII only, and the name. */
function disposition(name: string): string {
  const file = name.split(/[/\\]/).at(-1) || "artifact";
  const ascii = file.replaceAll(/[^\w. -]/g, "_");
  // Not UTF-16 gone wrong, which cannot be encoded.
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encodeURIComponent(file.toWellFormed()).replaceAll("'", "%27")}`;
}

/** RFC 9110 §13.1.2; the weak form compares equal. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(",").some((tag) => ["*", etag].includes(tag.trim().replace(/^W\//, "")));
}

/**
 * RFC 9110 §14.2. What is not one range of bytes is ignored, as a server may; undefined for the whole.
 * @throws HttpError 416 for a range that lies outside.
 */
function parseRange(header: string | undefined, size: number): ByteRange | undefined {
  const [, first = "", last = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.replaceAll(" ", "") ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  const from = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (first !== "" && last !== "" && Number(last) < Number(first)) return undefined;
  if (from > to) {
    throw new HttpError(416, "INVALID_REQUEST", `the artifact has ${size} bytes, and none in this range`, {
      headers: { "content-range": `bytes */${size}` },
    });
  }
  return { from, to };
}
