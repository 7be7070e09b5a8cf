/** Colours as functions of text: they do nothing where output is no terminal or NO_COLOR is set. */
import picocolors from "picocolors";
import type { Output } from "../io.ts";

export type Colors = ReturnType<typeof picocolors.createColors>;

export function colorsFor(output: Output): Colors {
  return picocolors.createColors(output.colors);
}
