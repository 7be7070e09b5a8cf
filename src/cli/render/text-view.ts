/**
 * For people: a line per event, also of the jobs below; at the bottom of a terminal the progress, what is left of the budget
 * and the jobs below that are under way; the result at the end.
 */
import type { JobEvent } from "../../client/job.ts";
import type { EventBody } from "../../protocol/event-bodies.ts";
import type { CliIo } from "../io.ts";
import { budgetGauges } from "./budget-gauge.ts";
import { createChildLines } from "./child-lines.ts";
import { colorsFor } from "./colors.ts";
import { createEventLines } from "./event-lines.ts";
import type { JobView, ShownJob } from "./job-view.ts";
import { createProgressThinner, progressBar } from "./progress-bar.ts";
import { printableResult } from "./result-text.ts";
import { safeLine } from "./sanitize.ts";
import { createScreen } from "./screen.ts";

/** A job may have more currencies: at its bottom a terminal has room for a few lines. */
const GAUGES_SHOWN = 3;

export function createTextView({ stdout, world }: CliIo): JobView {
  const colors = colorsFor(stdout);
  const { live } = stdout;
  const screen = createScreen(stdout, world.timers);
  const width = (): number | undefined => stdout.width();
  const eventLines = createEventLines({ colors, width });
  const childLines = createChildLines({ colors, live, width });
  const isWorthALine = createProgressThinner();
  let followed: ShownJob | undefined;
  let shown = "";
  let progress: EventBody<"progress"> | undefined;

  function drawBottom(room: number): string {
    const bar = progress === undefined ? [] : [progressBar(progress, room, colors)];
    const gauges = followed === undefined ? [] : budgetGauges(followed, room, colors).slice(0, GAUGES_SHOWN);
    return [...bar, ...gauges, ...childLines.underWay(room)].join("\n");
  }

  /** On a terminal the runtime's own word on what is left is seen in the gauge. */
  function isInGauge(event: JobEvent): boolean {
    return live && event.kind === "metric" && event.body.name === "cost.budget.remaining";
  }

  function end(status: string): void {
    screen.bottom(undefined);
    screen.line(`${status} ${shown}`);
    screen.close();
  }

  function lines(texts: readonly string[]): void {
    screen.bottom(drawBottom);
    for (const text of texts) screen.line(text);
  }

  return {
    begin(job: ShownJob) {
      followed = job;
      shown = safeLine(`${job.agent} ${job.id}`.trim());
      lines([colors.bold(shown)]);
    },
    event(event) {
      if (event.kind === "progress") {
        progress = event.body;
        if (live || !isWorthALine(event.body)) return lines([]);
      }
      lines(isInGauge(event) ? [] : eventLines(event));
    },
    children: {
      begin: (child) => lines(childLines.begin(child)),
      event: (id, event) => lines(isInGauge(event) ? [] : childLines.event(id, event)),
      ended: (id, ending) => lines(childLines.end(id, ending)),
    },
    succeeded(result, savedTo) {
      screen.bottom(undefined);
      const text = savedTo === undefined ? printableResult(result) : `result written to ${safeLine(savedTo)}\n`;
      if (text !== "") screen.line(`\n${text}`);
      end(colors.green("success"));
    },
    failed: ({ finalStatus }) => end(colors.red(finalStatus)),
    left: () => screen.close(),
  };
}
