/** `leasehold show`: one job, whatever became of it: its bounds, how far it has come, what it waits for, how it ended. */
import * as v from "valibot";
import { ArtifactRef, DescribedJob, ListedJob } from "../api-job.ts";
import { apiGet, getJson, getLines, listItems } from "../api-request.ts";
import { type ConnectionOptions, findTarget, type Target } from "../connection.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { listenForInterrupt } from "../interrupt-signal.ts";
import type { CliIo } from "../io.ts";
import { colorsFor } from "../render/colors.ts";
import { descriptorLines } from "../render/job-descriptor.ts";
import { jsonLine, safeText } from "../render/sanitize.ts";

export interface ShowOptions extends ConnectionOptions {
  readonly json?: boolean;
}

/** Artifacts that are listed; a job may have left more. */
const ARTIFACTS_SHOWN = 100;
/** Jobs of its tree that are listed, the newest ones. */
const TREE_SHOWN = 200;
/** How much of a result is fetched, and how much of that is shown. */
const PREVIEW_BYTES = 16_384;
const PREVIEW_LINES = 20;
const PREVIEW_CHARACTERS = 2_000;

const LogLine = v.looseObject({ type: v.string(), payload: v.looseObject({ body: v.optional(v.unknown()) }) });

function jobPath(job: string): string {
  return `/api/jobs/${encodeURIComponent(job)}`;
}

/** Up to one more than are shown. */
async function readArtifacts(target: Target, job: string, signal: AbortSignal): Promise<readonly ArtifactRef[]> {
  const found: ArtifactRef[] = [];
  // The job's end is a line, too.
  const query = { kinds: "artifact_ref", limit: ARTIFACTS_SHOWN + 2 };
  for await (const { type, payload } of getLines(target, `${jobPath(job)}/events`, query, LogLine, signal)) {
    // One that an agent made up itself may look like anything.
    const ref = v.safeParse(ArtifactRef, payload.body);
    if (type === "job.event" && ref.success) found.push(ref.output);
  }
  return found;
}

/** The jobs of its tree, newest first, up to one more than are shown; none for a job that has no others. */
async function readTree(target: Target, job: DescribedJob, signal: AbortSignal): Promise<readonly ListedJob[]> {
  if (job.parent_job_id === undefined && job.children.length === 0) return [];
  const listing = { name: "jobs", item: ListedJob, limit: TREE_SHOWN + 1, largest: TREE_SHOWN };
  return Array.fromAsync(listItems(target, "/api/jobs", { root: job.root_job_id }, listing, signal));
}

/** The first bytes of a body. */
async function beginningOf({ body }: Response): Promise<{ readonly text: string; readonly isWhole: boolean }> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of body ?? new ReadableStream<Uint8Array>()) {
    pieces.push(piece);
    length += piece.length;
    if (length > PREVIEW_BYTES) break;
  }
  const bytes = Buffer.concat(pieces).subarray(0, PREVIEW_BYTES);
  // A character that was cut in two at the end is left out.
  const text = new TextDecoder().decode(bytes, { stream: true });
  return { text, isWhole: length <= PREVIEW_BYTES };
}

/** The beginning of its result, as lines; undefined when it returned nothing. */
async function readPreview(target: Target, job: string, signal: AbortSignal): Promise<readonly string[] | undefined> {
  const response = await apiGet(target, `${jobPath(job)}/result`, {}, signal);
  const type = response.headers.get("content-type") ?? "";
  if (response.status === 204 || type.startsWith("application/octet-stream")) {
    await response.body?.cancel();
    return response.status === 204 ? undefined : [`(${response.headers.get("content-length") ?? "some"} bytes)`];
  }
  const { text, isWhole } = await beginningOf(response);
  const shown = isWhole && type.startsWith("application/json") ? JSON.stringify(JSON.parse(text), null, 2) : text;
  const isShort = isWhole && shown.length <= PREVIEW_CHARACTERS;
  const lines = safeText(shown.slice(0, PREVIEW_CHARACTERS)).replaceAll("\t", "  ").trimEnd().split("\n");
  if (isShort && lines.length <= PREVIEW_LINES) return lines;
  return [...lines.slice(0, PREVIEW_LINES), `… all of it: leasehold watch ${job} --result-only`];
}

export async function show(jobId: string, options: ShowOptions, io: CliIo): Promise<ExitCode> {
  using interrupt = listenForInterrupt(io);
  const { signal } = interrupt;
  const target = await findTarget(options, io);
  const job = await getJson(target, jobPath(jobId), {}, DescribedJob, signal);
  const artifacts = await readArtifacts(target, jobId, signal);
  if (options.json) {
    io.stdout.write(jsonLine({ ...job, artifacts: artifacts.slice(0, ARTIFACTS_SHOWN) }));
    return EXIT.ok;
  }
  const tree = await readTree(target, job, signal);
  const preview = job.status === "success" ? await readPreview(target, jobId, signal) : undefined;
  const lines = descriptorLines(
    {
      job,
      tree: tree.slice(0, TREE_SHOWN),
      moreTree: tree.length > TREE_SHOWN,
      artifacts: artifacts.slice(0, ARTIFACTS_SHOWN),
      moreArtifacts: artifacts.length > ARTIFACTS_SHOWN,
      preview,
    },
    { colors: colorsFor(io.stdout), width: io.stdout.width(), now: io.world.clock.now() },
  );
  for (const line of lines) io.stdout.write(`${line}\n`);
  return EXIT.ok;
}
