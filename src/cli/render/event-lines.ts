/** A job's events as lines for people. */
import type { JobEvent } from "../../client/job.ts";
import type { EventBody } from "../../protocol/event-bodies.ts";
import type { JsonObject } from "../../protocol/fields.ts";
import { PERMISSION_EVENT } from "../../protocol/permission-messages.ts";
import { createCallThinner } from "./call-thinner.ts";
import type { Colors } from "./colors.ts";
import { cut, pad, wrap } from "./display-width.ts";
import { progressText } from "./progress-bar.ts";
import { safeLine, safeText } from "./sanitize.ts";

export interface LineStyle {
  readonly colors: Colors;
  /** Columns of the terminal; undefined when lines may be of any length. */
  width(): number | undefined;
}

const LABEL_WIDTH = 9;
/** Arguments, results and unknown bodies are shown up to this many columns where no terminal's width limits them. */
const LONGEST_PREVIEW = 500;
/** Tool calls still without a result whose names are remembered; the oldest is forgotten first. */
const MAX_OPEN_CALLS = 256;

type Paint = (text: string) => string;
const asIs: Paint = (text) => text;

function preview(value: unknown): string {
  if (value === undefined) return "";
  return cut(safeLine(typeof value === "string" ? value : JSON.stringify(value)), LONGEST_PREVIEW);
}

function joined(...values: readonly unknown[]): string {
  return values
    .map(preview)
    .filter((text) => text !== "")
    .join(" ");
}

function metricText({ name, value, unit, dimensions = {} }: EventBody<"metric">): string {
  return joined(name, value, unit, ...Object.entries(dimensions).map(([key, of]) => `${key}=${preview(of)}`));
}

/** Formats events of one job in the order of its log: a result is shown under the name of the tool that was called. */
export function createEventLines({ colors, width }: LineStyle): (event: JobEvent) => readonly string[] {
  const openCalls = new Map<string, { readonly tool: string; readonly leftOut?: readonly string[] }>();
  const isWorthALine = createCallThinner();
  const levels = new Map<string, Paint>([
    ["debug", colors.dim],
    ["info", colors.cyan],
    ["warn", colors.yellow],
    ["error", colors.red],
  ]);

  function room(): number {
    return (width() ?? Number.POSITIVE_INFINITY) - LABEL_WIDTH;
  }

  function labelled(label: string, paint: Paint, lines: readonly string[], paintText: Paint): readonly string[] {
    const first = paint(pad(cut(safeLine(label), LABEL_WIDTH - 1), LABEL_WIDTH));
    return lines.map((line, index) => (index === 0 ? first : " ".repeat(LABEL_WIDTH)) + paintText(line));
  }

  /** Every word is shown, over as many lines as it takes. */
  function prose(label: string, paint: Paint, text: string, paintText: Paint = asIs): readonly string[] {
    const lines = safeText(text).replaceAll("\t", "  ").trimEnd().split("\n");
    return labelled(
      label,
      paint,
      lines.flatMap((line) => wrap(line, room())),
      paintText,
    );
  }

  /** What may be large: one line, cut to fit. */
  function summary(label: string, paint: Paint, text: string, paintText: Paint = asIs): readonly string[] {
    return labelled(label, paint, [cut(text, room())], paintText);
  }

  function toolCall({ tool, args, call_id }: EventBody<"tool_call">): readonly string[] {
    const shown = isWorthALine(tool);
    const lines = summary("call", colors.blue, joined(tool, args));
    openCalls.set(call_id, shown === "shown" ? { tool } : { tool, leftOut: lines });
    const [oldest] = openCalls.keys();
    if (openCalls.size > MAX_OPEN_CALLS && oldest !== undefined) openCalls.delete(oldest);
    if (shown === "first left out") {
      return summary(
        "call",
        colors.blue,
        `${preview(tool)} again: from here on it is shown when it fails (--json shows all)`,
      );
    }
    return shown === "shown" ? lines : [];
  }

  function toolResult({ call_id, result, error }: EventBody<"tool_result">): readonly string[] {
    const { tool, leftOut } = openCalls.get(call_id) ?? { tool: call_id };
    openCalls.delete(call_id);
    if (error === undefined) return leftOut === undefined ? summary("result", colors.blue, joined(tool, result)) : [];
    return [...(leftOut ?? []), ...summary("result", colors.red, joined(tool, error.code, error.message), colors.red)];
  }

  /** While somebody is waited for, what to type is said as well. */
  function permission({ state, lease_id: grant, ...body }: JsonObject): readonly string[] {
    const what = joined(body.permission, body.resource, `(${preview(body.operation)})`);
    const why = body.reason === undefined ? "" : `: ${preview(body.reason)}`;
    const say = (text: string, paint: Paint): readonly string[] => prose("person", paint, text, paint);
    const id = preview(body.permission_id);
    switch (state) {
      case "pending":
        return [
          ...say(`waits for a person to decide ${what}${why}`, colors.yellow),
          ...prose("", asIs, `leasehold permissions grant ${id}`),
          ...prose("", asIs, `leasehold permissions deny ${id} --reason …`),
        ];
      case "granted":
        return say(`granted ${what}, until ${preview(body.expires_at)}`, colors.green);
      case "expired":
        return say(
          grant === undefined ? `nobody has decided ${what} in time` : `the grant of ${what} is over`,
          colors.dim,
        );
      case "withdrawn":
        return say(`nobody has to decide ${what} any more`, colors.dim);
      default:
        return say(`${preview(state)} ${what}${why}`, colors.red);
    }
  }

  return (event) => {
    switch (event.kind) {
      case "log":
        return prose(event.body.level, levels.get(event.body.level) ?? asIs, event.body.message);
      case "thought":
        return prose("thought", colors.dim, event.body.text, colors.dim);
      case "status": {
        const { phase, message } = event.body;
        return prose("status", colors.magenta, message === undefined ? phase : `${phase}: ${message}`);
      }
      case "progress":
        return summary("progress", colors.green, progressText(event.body));
      case "tool_call":
        return toolCall(event.body);
      case "tool_result":
        return toolResult(event.body);
      case "metric":
        return summary("metric", colors.dim, metricText(event.body));
      case "artifact_ref": {
        const { uri, name, content_type, byte_size } = event.body;
        const size = byte_size === undefined ? undefined : `${byte_size} bytes`;
        return summary("artifact", colors.green, joined(name, uri, content_type, size));
      }
      case "delegate":
        return summary("delegate", colors.blue, joined(event.body.agent, event.body.child_job_id));
      case "result_chunk":
        return []; // Shown assembled, when the job has ended.
      case "unknown":
        return summary("event", colors.dim, joined(event.name, event.body));
      case PERMISSION_EVENT:
        return permission(event.body);
      default:
        return summary("event", colors.dim, joined(event.kind, event.body));
    }
  };
}
