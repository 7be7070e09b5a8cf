#!/usr/bin/env -S node --max-semi-space-size=4
/**
 * The installed command: checks the Node it runs on, then starts the real one. In syntax that Node 12 can read.
 *
 * The flag above bounds V8's young generation, in MiB. Events die young and fast: left alone, V8 would let that space
 * grow until a busy runtime held some 70 MB more, for no speed that shows in the benchmarks.
 */
import { isSqliteRemark, refuseVersion } from "./node-version.js";

const refusal = refuseVersion(process.version);
if (refusal === undefined) {
  const emitWarning = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    if (!isSqliteRemark(warning, rest[0])) emitWarning.call(process, warning, ...rest);
  };
  import("../dist/cli/main.js");
} else {
  process.stderr.write(`${refusal}\n`);
  process.exitCode = 1;
}
