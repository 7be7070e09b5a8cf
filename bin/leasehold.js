#!/usr/bin/env node
/** The installed command: checks the Node it runs on, then starts the real one. In syntax that Node 12 can read. */
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
