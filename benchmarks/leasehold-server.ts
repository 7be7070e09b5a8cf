/** Leasehold as a child process, started the way a user starts it: a token, then `leasehold serve --json`. */
import { execFile } from "node:child_process";
import { existsSync, globSync, statSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { RuntimeServer, ServerOptions } from "./bench.ts";
import { startServer } from "./child-server.ts";

const TOKEN_TIMEOUT_MS = 15_000;
const BUILT_CLI = "dist/cli/main.js";
/** What the first line of `bin/leasehold.js` gives to Node. */
const NODE_FLAGS = ["--max-semi-space-size=4"];
const AGENTS = ["benchmarks/agents.ts", "benchmarks/paced-agent.ts", "benchmarks/memory-agent.ts"];

/** What is run: the sources as they are, or what the build made of them. */
export type Form = "source" | "built";

/**
 * The form to measure when none was asked for: the built one, which starts faster, unless it is missing or older than
 * a source file.
 */
export function defaultForm(root: string): Form {
  const built = join(root, BUILT_CLI);
  if (!existsSync(built)) return "source";
  const builtAt = statSync(built).mtimeMs;
  const stale = globSync("src/**/*.ts", { cwd: root }).some(
    (file) => !file.endsWith(".test.ts") && statSync(join(root, file)).mtimeMs > builtAt,
  );
  return stale ? "source" : "built";
}

/** Arguments to Node that run the command line in this form. */
function commandLine(form: Form): readonly string[] {
  return [...NODE_FLAGS, ...(form === "built" ? [BUILT_CLI] : ["--conditions=leasehold-source", "src/cli/main.ts"])];
}

/**
 * Starts the runtime on a fresh data directory.
 * @param root the repository.
 * @param scratch where the data directory is made.
 * @throws Error when the built form is asked for and not there, or the process does not come up.
 */
export async function startRuntimeServer(
  root: string,
  form: Form,
  scratch: string,
  { exposeGc = false }: ServerOptions = {},
): Promise<RuntimeServer> {
  if (form === "built" && !existsSync(join(root, BUILT_CLI))) {
    throw new Error(`${BUILT_CLI} is missing: build first, or give --source`);
  }
  const data = await mkdtemp(join(scratch, "data-"));
  const token = await createToken(root, form, data);
  const server = await startServer({
    name: "leasehold serve",
    args: [
      ...(exposeGc ? ["--expose-gc"] : []),
      ...commandLine(form),
      "serve",
      "--json",
      ...["--port", "0"],
      ...["--data", data],
      ...AGENTS,
    ],
    cwd: root,
  });
  return { ...server, token };
}

async function createToken(root: string, form: Form, data: string): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...commandLine(form), "token", "create", "bench", "--data", data, "--json"],
    { cwd: root, timeout: TOKEN_TIMEOUT_MS },
  );
  const { token } = JSON.parse(stdout) as { token?: unknown };
  if (typeof token !== "string") throw new Error("leasehold token create --json printed no token");
  return token;
}
