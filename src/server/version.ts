/** The version this runtime reports in its welcome and on the command line. */
import { readFileSync } from "node:fs";

interface PackageFile {
  readonly version: string;
}

/** Read from the package, two folders up in the sources and in the built form alike. */
export const LEASEHOLD_VERSION: string = (
  JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as PackageFile
).version;
