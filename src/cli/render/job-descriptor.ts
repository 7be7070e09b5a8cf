/** All there is to say of one job, as lines for people (`leasehold show`). */
import type { ArtifactRef, BudgetCounter, DescribedJob, ListedJob } from "../api-job.ts";
import { ARTIFACTS_PATH } from "../api-job.ts";
import type { Colors } from "./colors.ts";
import { displayWidth, pad, wrap } from "./display-width.ts";
import { treeLines } from "./job-tree.ts";
import { leaseWords } from "./lease-words.ts";
import { progressBar } from "./progress-bar.ts";
import { safeLine } from "./sanitize.ts";
import { shortDuration } from "./table.ts";

export interface ShownDescriptor {
  readonly job: DescribedJob;
  /** The jobs of its tree, newest first; none for a job that has no others. */
  readonly tree: readonly ListedJob[];
  readonly moreTree: boolean;
  readonly artifacts: readonly ArtifactRef[];
  readonly moreArtifacts: boolean;
  /** The beginning of its result as lines, safe to print; undefined when it has none. */
  readonly preview: readonly string[] | undefined;
}

interface DescriptorStyle {
  readonly colors: Colors;
  /** Columns of the terminal; undefined where lines may be of any length. */
  readonly width: number | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

type Field = readonly [label: string, ...lines: readonly string[]];

const LABEL_WIDTH = 11;
/** Narrower than this, labels stand on lines of their own. */
const NARROW = 40;
const BAR_WIDTH = 72;

export function descriptorLines(shown: ShownDescriptor, { colors, width, now }: DescriptorStyle): readonly string[] {
  const { job } = shown;
  const room = width ?? Number.POSITIVE_INFINITY;
  const title = wrap(safeLine(`${job.agent} ${job.job_id}`), room).map((line) => colors.bold(line));
  const barWidth = Math.min(room - (room < NARROW ? 2 : LABEL_WIDTH), BAR_WIDTH);
  const bar = job.progress === undefined ? [] : [progressBar(job.progress, barWidth, colors)];
  const painted: readonly Field[] = bar.length === 0 ? [] : [["progress", ...bar]];
  const fields = fieldsOf(shown, now).map(
    ([label, ...lines]): Field => [
      label,
      ...lines.flatMap((line) => wrapIndented(safeLine(line), room - (room < NARROW ? 2 : LABEL_WIDTH))),
    ],
  );
  const [status, ...others] = fields;
  const all = status === undefined ? painted : [status, ...painted, ...others];
  return [
    ...title,
    ...all.flatMap(([label, ...lines]) => fieldLines(label, lines, room, colors)),
    ...(shown.preview === undefined ? [] : ["", ...shown.preview.flatMap((line) => wrap(line, room))]),
  ];
}

/** What is wrapped keeps its place in a tree, as long as that leaves half of the line. */
function wrapIndented(line: string, room: number): readonly string[] {
  const text = line.trimStart();
  const indent = line.slice(0, Math.min(line.length - text.length, Math.floor(room / 2)));
  return wrap(text, room - indent.length).map((part) => indent + part);
}

function fieldLines(label: string, lines: readonly string[], room: number, colors: Colors): readonly string[] {
  if (lines.length === 0) return [];
  if (room < NARROW) return [colors.dim(label), ...lines.map((line) => `  ${line}`)];
  return lines.map((line, index) => `${colors.dim(pad(index === 0 ? label : "", LABEL_WIDTH))}${line}`);
}

function fieldsOf({ job, tree, moreTree, artifacts, moreArtifacts }: ShownDescriptor, now: number): readonly Field[] {
  const ended = job.ended_at;
  const expiry = job.lease_constraints?.expires_at;
  const phase = job.latest_status;
  const when = (time: string): string => timeText(time, now);
  return [
    ["status", `${job.status}${job.attempt > 1 ? `, attempt ${job.attempt}` : ""}`],
    ["why", ...(job.error === undefined ? [] : [errorText(job.error)])],
    ["waits for", ...(job.waiting_for === undefined ? [] : [job.waiting_for.message])],
    [
      "phase",
      ...(phase === undefined ? [] : [phase.message === undefined ? phase.phase : `${phase.phase}: ${phase.message}`]),
    ],
    ["may", ...leaseWords(job.lease), ...(expiry === undefined ? [] : [`until ${when(expiry)}`])],
    ["budget", ...Object.entries(job.budget ?? {}).map(counterText)],
    ["created", when(job.created_at)],
    ["started", ...(job.started_at === undefined ? [] : [when(job.started_at)])],
    [
      "ends",
      ...(job.deadline_at === undefined || ended !== undefined ? [] : [`at the latest ${when(job.deadline_at)}`]),
    ],
    ["ended", ...(ended === undefined ? [] : [`${when(ended)}${tookText(job.started_at, ended)}`])],
    ["whose", job.principal],
    ["log", `${job.last_job_seq} ${job.last_job_seq === 1 ? "entry" : "entries"}`],
    ["trace", job.trace_id],
    ["tree", ...treeLines(tree, job.job_id), ...more(moreTree)],
    ["artifacts", ...artifacts.map(artifactText), ...more(moreArtifacts)],
    ["summary", ...(job.result?.summary === undefined ? [] : [job.result.summary])],
  ];
}

/** Such as `1.42 of 5 USD left, 3.58 spent`. */
function counterText([currency, { granted, spent, held, remaining }]: [string, BudgetCounter]): string {
  const promised = held === "0" ? "" : `, ${held} of it promised`;
  return `${remaining} of ${granted} ${currency} left${promised}, ${spent} spent`;
}

function more(isThere: boolean | undefined): readonly string[] {
  return isThere ? ["… and more"] : [];
}

function errorText({ code, message, retryable }: NonNullable<DescribedJob["error"]>): string {
  return `${code}: ${message}${retryable ? " (may succeed when submitted again)" : ""}`;
}

/** Such as `2026-05-13T19:30:00.000Z (3m ago)`. */
function timeText(time: string, now: number): string {
  const ago = now - Date.parse(time);
  if (Number.isNaN(ago)) return time;
  return `${time} (${ago < 0 ? `in ${shortDuration(-ago)}` : `${shortDuration(ago)} ago`})`;
}

function tookText(started: string | undefined, ended: string): string {
  const ms = started === undefined ? Number.NaN : Date.parse(ended) - Date.parse(started);
  if (!(ms >= 0)) return "";
  return `, after ${ms < 1_000 ? `${ms} ms` : shortDuration(ms)}`;
}

/** Its id, as `leasehold artifact` takes it, or where else it is. */
function artifactText({ uri, name, content_type, byte_size }: ArtifactRef): string {
  const where = uri.startsWith(ARTIFACTS_PATH) ? uri.slice(ARTIFACTS_PATH.length) : uri;
  const size = byte_size === undefined ? undefined : `${byte_size} bytes`;
  return [where, name, content_type, size].filter((part) => part !== undefined && displayWidth(part) > 0).join(" ");
}
