/**
 * The jobs that a followed job has delegated (§10), and theirs: their events as lines, each under the name of its job, and
 * those under way as a few lines at the bottom of a terminal.
 */
import type { JobEvent } from "../../client/job.ts";
import type { Colors } from "./colors.ts";
import { cut } from "./display-width.ts";
import { createEventLines } from "./event-lines.ts";
import type { ChildEnd, ShownChild } from "./job-view.ts";
import { createProgressThinner, progressText } from "./progress-bar.ts";
import { safeLine } from "./sanitize.ts";

/** Children under way that are shown at the bottom; of more, how many there are. */
const SHOWN_UNDER_WAY = 6;
/** Deeper ones are indented no further. */
const DEEPEST_INDENT = 8;

export interface ChildLines {
  begin(child: ShownChild): readonly string[];
  event(id: string, event: JobEvent): readonly string[];
  end(id: string, end: ChildEnd): readonly string[];
  /** Those under way, the first ones first. */
  underWay(width: number): readonly string[];
}

interface Child {
  readonly shown: ShownChild;
  /** Its agent's name and a number, by which its lines are told from others'. */
  readonly tag: string;
  readonly indent: string;
  readonly lines: (event: JobEvent) => readonly string[];
  readonly isWorthALine: ReturnType<typeof createProgressThinner>;
  /** What it last told of itself. */
  doing: string;
}

export interface ChildLineStyle {
  readonly colors: Colors;
  /** On a terminal children are indented, and their progress is shown at the bottom alone. */
  readonly live: boolean;
  width(): number | undefined;
}

export function createChildLines({ colors, live, width }: ChildLineStyle): ChildLines {
  const children = new Map<string, Child>();
  let count = 0;

  const indentOf = (depth: number): string => (live ? "  ".repeat(Math.min(depth, DEEPEST_INDENT)) : "");
  const prefixOf = ({ tag, indent }: Child): string => `${indent}${colors.dim(`${tag} `)}`;
  const prefixed = (child: Child, lines: readonly string[]): readonly string[] =>
    lines.map((line) => prefixOf(child) + line);

  return {
    begin(shown) {
      count++;
      const tag = safeLine(`${shown.agent.split("@", 1)[0] || "job"}#${count}`);
      const indent = indentOf(shown.depth);
      const taken = indent.length + tag.length + 1;
      const lines = createEventLines({
        colors,
        width: () => {
          const all = width();
          return all === undefined ? undefined : all - taken;
        },
      });
      const child: Child = { shown, tag, indent, lines, isWorthALine: createProgressThinner(), doing: "" };
      children.set(shown.id, child);
      return prefixed(child, [colors.bold(safeLine(`${shown.agent} ${shown.id}`.trim()))]);
    },
    event(id, event) {
      const child = children.get(id);
      if (child === undefined) return [];
      if (event.kind === "progress") {
        child.doing = progressText(event.body);
        if (live || !child.isWorthALine(event.body)) return [];
      } else if (event.kind === "status") {
        child.doing = safeLine(event.body.message ?? event.body.phase);
      }
      return prefixed(child, child.lines(event));
    },
    end(id, { finalStatus, failure }) {
      const child = children.get(id);
      if (child === undefined) return [];
      children.delete(id);
      const paint = finalStatus === "success" ? colors.green : colors.red;
      const why = failure === undefined ? "" : safeLine(` ${failure.code}: ${failure.message}`);
      return prefixed(child, [`${paint(finalStatus)}${why}`]);
    },
    underWay(room) {
      const shown = [...children.values()].slice(0, SHOWN_UNDER_WAY);
      const lines = shown.map(({ indent, tag, doing }) => cut(`${indent}${tag} ${doing}`.trimEnd(), room));
      const more = children.size - shown.length;
      return more > 0 ? [...lines, cut(`  … and ${more} more under way`, room)] : lines;
    },
  };
}
