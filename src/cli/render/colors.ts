/** Colours as functions of text: they do nothing where output is no terminal or NO_COLOR is set. */
import picocolors from "picocolors";
import type { Colors } from "picocolors/types";
import type { Output } from "../io.ts";

export function colorsFor(output: Output): Colors {
  return picocolors.createColors(output.colors);
}
