/** Runs the program of an example, as `npm run example lease-expiry` does: a runtime, a job, and what a client sees of it. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const names = readdirSync(import.meta.dirname).filter((name) => existsSync(join(import.meta.dirname, name, "main.ts")));
const [name = ""] = process.argv.slice(2);
if (names.includes(name)) {
  await import(`./${name}/main.ts`);
} else {
  const wrong = name === "" ? "" : `there is no example "${name}" to run by itself; `;
  process.stderr.write(`${wrong}usage: npm run example ${names.join("|")}\n`);
  process.exitCode = 64;
}
