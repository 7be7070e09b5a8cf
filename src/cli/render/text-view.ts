/** For people: a line per event, the progress at the bottom of a terminal, the result at the end. */
import type { EventBody } from "../../protocol/event-bodies.ts";
import type { CliIo } from "../io.ts";
import { colorsFor } from "./colors.ts";
import { createEventLines } from "./event-lines.ts";
import type { JobView, ShownJob } from "./job-view.ts";
import { createProgressThinner, progressBar } from "./progress-bar.ts";
import { printableResult } from "./result-text.ts";
import { safeLine } from "./sanitize.ts";
import { createScreen } from "./screen.ts";

export function createTextView({ stdout, world }: CliIo): JobView {
  const colors = colorsFor(stdout);
  const screen = createScreen(stdout, world.timers);
  const eventLines = createEventLines({ colors, width: () => stdout.width() });
  const isWorthALine = createProgressThinner();
  let shown = "";

  function progress(body: EventBody<"progress">): void {
    screen.bottom((width) => progressBar(body, width, colors));
  }

  function end(status: string): void {
    screen.line(`${status} ${shown}`);
    screen.close();
  }

  return {
    begin({ id, agent }: ShownJob) {
      shown = safeLine(`${agent} ${id}`.trim());
      screen.line(colors.bold(shown));
    },
    event(event) {
      if (event.kind === "progress") {
        progress(event.body);
        if (stdout.live || !isWorthALine(event.body)) return;
      }
      for (const line of eventLines(event)) screen.line(line);
    },
    succeeded(result, savedTo) {
      screen.bottom(undefined);
      const text = savedTo === undefined ? printableResult(result) : `result written to ${safeLine(savedTo)}\n`;
      if (text !== "") screen.line(`\n${text}`);
      end(colors.green("success"));
    },
    failed({ finalStatus }) {
      screen.bottom(undefined);
      end(colors.red(finalStatus));
    },
    left: () => screen.close(),
  };
}
