/**
 * `npm run bench`: runs the measurements, prints a table, saves everything as JSON. This process is the load client;
 * the runtime and the bare server are its children. Ends with 1 when a measurement could not be made.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Bench, type Measurement, startBareServer } from "./bench.ts";
import { defaultForm, type Form, startRuntimeServer } from "./leasehold-server.ts";
import { machineFacts } from "./machine.ts";
import { MEASUREMENTS } from "./measurements.ts";
import { type Findings, judge } from "./results.ts";
import { renderTable } from "./table.ts";

const USAGE = `usage: npm run bench -- [--only name,name] [--rounds N] [--quick] [--built | --source] [--out file]
measurements: ${MEASUREMENTS.map(({ name }) => name).join(", ")}`;

interface Options {
  readonly measurements: readonly Measurement[];
  readonly rounds: number;
  readonly quick: boolean;
  readonly form: Form;
  readonly out: string;
}

const root = resolve(import.meta.dirname, "..");

/** @throws Error that says which flag is wrong. */
function readOptions(startedAt: Date): Options {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      rounds: { type: "string", default: "3" },
      quick: { type: "boolean", default: false },
      built: { type: "boolean", default: false },
      source: { type: "boolean", default: false },
      out: { type: "string" },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds ${values.rounds} is not a whole number from 1`);
  if (values.built && values.source) throw new Error("--built and --source exclude each other");
  return {
    measurements: chosen(values.only),
    rounds,
    quick: values.quick,
    form: values.built ? "built" : values.source ? "source" : defaultForm(root),
    out: resolve(values.out ?? join(root, ".bench", `${startedAt.toISOString().replaceAll(":", "-")}.json`)),
  };
}

function chosen(only: string | undefined): readonly Measurement[] {
  if (only === undefined) return MEASUREMENTS;
  const names = only.split(",");
  const unknown = names.filter((name) => !MEASUREMENTS.some((measurement) => measurement.name === name));
  if (unknown.length > 0) throw new Error(`--only names no measurement: ${unknown.join(", ")}`);
  return MEASUREMENTS.filter(({ name }) => names.includes(name));
}

async function measure(options: Options, startedAt: Date): Promise<boolean> {
  const machine = machineFacts();
  console.log(
    `Leasehold (${options.form}) beside a bare ws server: ${machine.cores} cores, Node ${machine.node}, rounds: ${options.rounds}`,
  );
  // In the work tree, not under /tmp: a disk in memory would make commits free.
  mkdirSync(join(root, ".bench"), { recursive: true });
  const scratch = mkdtempSync(join(root, ".bench", "scratch-"));
  process.once("exit", () => rmSync(scratch, { recursive: true, force: true }));
  const bench: Bench = {
    rounds: options.rounds,
    size: (full, quick) => (options.quick ? quick : full),
    scratch,
    startRuntime: (server) => startRuntimeServer(root, options.form, scratch, server),
    startBare: (server) => startBareServer(root, server),
  };

  const findings: Findings[] = [];
  const failures: { readonly measurement: string; readonly error: string }[] = [];
  for (const { name, run } of options.measurements) {
    console.log(`measuring ${name} …`);
    try {
      findings.push(await run(bench));
    } catch (error) {
      failures.push({ measurement: name, error: (error as Error).message });
    }
  }

  const rows = findings.flatMap((found) => found.rows);
  const notes = findings.flatMap((found) => found.notes ?? []);
  const verdicts = rows.map(judge);
  console.log(`\n${renderTable(verdicts)}\n`);
  for (const note of notes) console.log(note);
  for (const { measurement, error } of failures) console.error(`${measurement} could not be measured: ${error}`);

  const { form, rounds, quick } = options;
  mkdirSync(dirname(options.out), { recursive: true });
  const report = { startedAt, machine, form, rounds, quick, verdicts, rows, notes, failures };
  writeFileSync(options.out, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`saved as ${options.out}`);
  return failures.length === 0;
}

// Ending by `exit` runs the handlers that end the children and remove their data.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

const startedAt = new Date();
let options: Options;
try {
  options = readOptions(startedAt);
} catch (error) {
  console.error(`${(error as Error).message}\n${USAGE}`);
  process.exit(2);
}
process.exitCode = (await measure(options, startedAt)) ? 0 : 1;
