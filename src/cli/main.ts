/** Entry of the `leasehold` command: hands the real process to `runCli` and exits with its code. */
import { enableCompileCache } from "node:module";

// Compiled code is kept between runs: it halves the time to the first job. What follows is imported so as to profit.
enableCompileCache();
const [{ createProcessIo }, { runCli }] = await Promise.all([import("./process-io.ts"), import("./run-cli.ts")]);

const io = createProcessIo();
const exitCode = await runCli(process.argv.slice(2), io);
// What is still open must not keep the command alive; what is still being written must go out first. A turn later, so
// that output which could not be written is heard of before the exit.
process.stdout.write("", () => process.stderr.write("", () => io.world.timers.soon(() => process.exit(exitCode))));
