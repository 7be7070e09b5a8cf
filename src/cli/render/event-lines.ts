/** A job's events as lines for people. Bodies come from outside, so each field is looked at before it is used. */
import type { Colors } from "picocolors/types";
import { cut, pad, wrap } from "./display-width.ts";
import { progressText, readProgress } from "./progress-bar.ts";
import { safeLine, safeText } from "./sanitize.ts";

/** What is shown of an event: its kind on the wire (§8.2) and its body. */
export interface ShownEvent {
  readonly kind: string;
  readonly body: unknown;
}

export interface LineStyle {
  readonly colors: Colors;
  /** Columns of the terminal; undefined when lines may be of any length. */
  width(): number | undefined;
}

const LABEL_WIDTH = 9;
/** Arguments, results and unknown bodies are shown up to this many characters where no terminal's width limits them. */
const LONGEST_PREVIEW = 500;
/** Tool calls still without a result whose names are remembered; the oldest is forgotten first. */
const MAX_OPEN_CALLS = 256;

type Fields = Readonly<Record<string, unknown>>;
type Paint = (text: string) => string;

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
}

function preview(value: unknown): string {
  return cut(safeLine(textOf(value)), LONGEST_PREVIEW);
}

function joined(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(" ");
}

/** Formats events of one job in the order of its log: a result is shown under the name of the tool that was called. */
export function createEventLines({ colors, width }: LineStyle): (event: ShownEvent) => readonly string[] {
  const openCalls = new Map<string, string>();
  const asIs: Paint = (text) => text;
  const levels = new Map<string, Paint>([
    ["debug", colors.dim],
    ["info", colors.cyan],
    ["warn", colors.yellow],
    ["error", colors.red],
  ]);

  function labelled(label: string, paint: Paint, lines: readonly string[], paintText: Paint): readonly string[] {
    const first = paint(pad(cut(safeLine(label), LABEL_WIDTH - 1), LABEL_WIDTH));
    return lines.map((line, index) => (index === 0 ? first : " ".repeat(LABEL_WIDTH)) + paintText(line));
  }

  /** Prose: every word is shown, over as many lines as it takes. */
  function prose(label: string, paint: Paint, text: string, paintText: Paint = asIs): readonly string[] {
    const room = (width() ?? Number.POSITIVE_INFINITY) - LABEL_WIDTH;
    const lines = safeText(text)
      .replaceAll("\t", "  ")
      .trimEnd()
      .split("\n")
      .flatMap((line) => wrap(line, room));
    return labelled(label, paint, lines, paintText);
  }

  /** A summary of something that may be large: one line, cut to fit. */
  function summary(label: string, paint: Paint, text: string, paintText: Paint = asIs): readonly string[] {
    const room = (width() ?? Number.POSITIVE_INFINITY) - LABEL_WIDTH;
    return labelled(label, paint, [cut(text, room)], paintText);
  }

  function toolCall(body: Fields): readonly string[] {
    const tool = textOf(body.tool);
    openCalls.set(textOf(body.call_id), tool);
    const [oldest] = openCalls.keys();
    if (openCalls.size > MAX_OPEN_CALLS && oldest !== undefined) openCalls.delete(oldest);
    return summary("call", colors.blue, joined(safeLine(tool), preview(body.args)));
  }

  function toolResult(body: Fields): readonly string[] {
    const callId = textOf(body.call_id);
    const tool = safeLine(openCalls.get(callId) ?? callId);
    openCalls.delete(callId);
    if (body.error === undefined) return summary("result", colors.blue, joined(tool, preview(body.result)));
    const error = fieldsOf(body.error);
    return summary("result", colors.red, joined(tool, preview(error.code), preview(error.message)), colors.red);
  }

  function artifact(body: Fields): string {
    const size = typeof body.byte_size === "number" ? `${body.byte_size} bytes` : "";
    return joined(preview(body.uri), preview(body.content_type), size);
  }

  return ({ kind, body: value }) => {
    const body = fieldsOf(value);
    switch (kind) {
      case "log": {
        const level = textOf(body.level);
        return prose(level, levels.get(level) ?? asIs, textOf(body.message));
      }
      case "thought":
        return prose("thought", colors.dim, textOf(body.text), colors.dim);
      case "status": {
        const message = textOf(body.message);
        return prose("status", colors.magenta, message === "" ? textOf(body.phase) : `${textOf(body.phase)}: ${message}`);
      }
      case "tool_call":
        return toolCall(body);
      case "tool_result":
        return toolResult(body);
      case "metric":
        return summary("metric", colors.dim, joined(preview(body.name), preview(body.value), preview(body.unit)));
      case "artifact_ref":
        return summary("artifact", colors.green, artifact(body));
      case "delegate":
        return summary("delegate", colors.blue, joined(preview(body.agent), preview(body.child_job_id)));
      case "progress": {
        const progress = readProgress(value);
        return progress === undefined ? [] : summary("progress", colors.green, progressText(progress));
      }
      case "result_chunk":
        return []; // Shown assembled, when the job has ended.
      default:
        return summary("event", colors.dim, joined(safeLine(kind), preview(value)));
    }
  };
}
