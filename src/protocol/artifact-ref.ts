/** Where a job's artifact is: the body of an `artifact_ref` event (§8.2). */
import * as v from "valibot";
import { count, id, maybe, object, text } from "./fields.ts";

const SHA256 = /^[0-9a-f]{64}$/i;

export const artifactRef = object({
  /** Ours are paths: see `artifact-uri.ts`. */
  uri: v.pipe(text, v.nonEmpty("a URI")),
  content_type: id,
  /** In bytes. */
  byte_size: maybe(count),
  sha256: maybe(v.pipe(text, v.regex(SHA256, "64 hex digits"))),
  /** For people, such as a file name. */
  name: maybe(text),
});
