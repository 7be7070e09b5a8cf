/** For pipes that want the result alone (`--result-only`). Progress is drawn on stderr when that is a terminal. */
import type { CliIo } from "../io.ts";
import { colorsFor } from "./colors.ts";
import type { JobView } from "./job-view.ts";
import { progressBar } from "./progress-bar.ts";
import { writeResult } from "./result-text.ts";
import { createScreen } from "./screen.ts";

export function createResultView({ stdout, stderr, world }: CliIo): JobView {
  const colors = colorsFor(stderr);
  const screen = createScreen(stderr, world.timers);
  return {
    begin: () => {},
    event(event) {
      if (event.kind === "progress") screen.bottom((width) => progressBar(event.body, width, colors));
    },
    succeeded(result, savedTo) {
      screen.close();
      if (savedTo === undefined) writeResult(result, stdout);
    },
    failed: () => screen.close(),
    left: () => screen.close(),
  };
}
