/** A job's result as it is printed or written to a file. */
import type { Output } from "../io.ts";
import { safeText } from "./sanitize.ts";

/** Text and bytes as they are, anything else as indented JSON. Nothing for a job that returned nothing. */
export function resultContent(result: unknown): string | Uint8Array {
  if (result === undefined) return "";
  if (typeof result === "string" || result instanceof Uint8Array) return result;
  return `${JSON.stringify(result, null, 2)}\n`;
}

/** The result as lines that are safe to print; bytes are only counted. */
export function printableResult(result: unknown): string {
  const content = resultContent(result);
  if (typeof content !== "string") return `(${content.length} bytes: save them with --output)\n`;
  const text = safeText(content);
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

/** Writes nothing but the result: to a terminal so that it is safe to print, elsewhere exactly. */
export function writeResult(result: unknown, output: Output): void {
  const content = resultContent(result);
  output.write(output.width() === undefined ? content : printableResult(result));
}
