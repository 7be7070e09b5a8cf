/**
 * The entry of an agent's own process: takes the job over the pipe, loads the agent's module, runs the agent once, tells
 * what became of it, and waits to be ended. Ends by itself when the pipe does, and so with its runtime.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { registerHooks } from "node:module";
import { Socket } from "node:net";
import { extname } from "node:path";
import type { AgentReturn } from "../../kernel/agents-port.ts";
import { createSystemWorld } from "../../platform/system-world.ts";
import { CodedError } from "../../protocol/errors.ts";
import { toJobFailure } from "../agent-error.ts";
import type { AgentDefinition } from "../define-agent.ts";
import { agentsIn } from "../load.ts";
import { createPriceTable } from "../prices.ts";
import { runAgent } from "../run-agent.ts";
import { checkWithSchema } from "../schema-check.ts";
import { installStrayFailureHandler } from "../stray-failures.ts";
import { confine } from "./confine.ts";
import { disconnect } from "./disconnect.ts";
import { createRemoteFiles } from "./file-calls.ts";
import { createLineWriter, readLines } from "./lines.ts";
import { type FromAgent, OFFLINE, PIPE_FD, type ToAgent } from "./messages.ts";
import { RemoteHost } from "./remote-host.ts";

/** The runtime is believed: the bound is that of one text in this process. */
const MAX_LINE_BYTES = 512 * 1_048_576;

/** What agents get by the name of this package. */
const PACKAGE = new URL(`./agent-package${extname(import.meta.url)}`, import.meta.url).href;

const { reallyExit } = process as unknown as { reallyExit(code: number): never };
const outside = AsyncLocalStorage.snapshot();
const pipe = new Socket({ fd: PIPE_FD, readable: true, writable: true });
const writer = createLineWriter(pipe);
const steps = new Map<string, string | null>();
let host: RemoteHost | undefined;

function send(message: FromAgent): void {
  writer.send(JSON.stringify(message));
}

function fail(error: unknown): void {
  send({ type: "failed", error: toJobFailure(error).toBody() });
}

async function loadAgent(module: string, name: string, version: string): Promise<AgentDefinition> {
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = await import(module);
  } catch (cause) {
    throw new CodedError("INTERNAL_ERROR", `${module} failed to load in a process of its own: ${reasonOf(cause)}`, {
      cause,
    });
  }
  const agents = Object.values(exported).flatMap(agentsIn);
  const found = agents.find((agent) => agent.name === name && agent.version === version);
  if (found !== undefined) return found;
  const there = agents.map((agent) => `${agent.name}@${agent.version}`).join(", ") || "none";
  throw new CodedError(
    "INTERNAL_ERROR",
    `${module} exports no agent ${name}@${version} (agents there: ${there}): "module" of an isolated agent must be the file that exports it`,
    { retryable: false },
  );
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const { code, resource } = cause as { readonly code?: unknown; readonly resource?: unknown };
  if (code !== "ERR_ACCESS_DENIED") return cause.message;
  return `it may not read ${String(resource)}: an isolated agent loads packages, and files of its project that its source names`;
}

async function run(start: Extract<ToAgent, { type: "start" }>, remote: RemoteHost): Promise<AgentReturn> {
  const { agent: name, version } = start.job;
  const definition = await loadAgent(start.module, name, version);
  const { input: schema } = definition;
  const agent = `${name}@${version}`;
  const input =
    schema === undefined
      ? start.input
      : await checkWithSchema(schema, start.input, { field: "input", agent, code: "INVALID_REQUEST" });
  const { prices, ...settings } = start.settings;
  const options = {
    ...settings,
    ...(prices === undefined ? {} : { prices: createPriceTable(prices) }),
    files: createRemoteFiles(remote),
  };
  return runAgent({ definition, host: remote, input, ids: createSystemWorld().ids, outside, options });
}

function tell(returned: AgentReturn): void {
  const { summary } = returned;
  const words = summary === undefined ? "" : `,"summary":${JSON.stringify(summary)}`;
  if ("stream" in returned) writer.send(`{"type":"returned","streamed":true${words}}`);
  else writer.send(`{"type":"returned"${returned.result === undefined ? "" : `,"result":${returned.result}`}${words}}`);
}

confine(pipe);
if (process.argv.includes(OFFLINE)) disconnect();
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "leasehold" ? { url: PACKAGE, shortCircuit: true } : next(specifier, context),
});
installStrayFailureHandler({ onUnowned: fail });
readLines(pipe, MAX_LINE_BYTES, (line) => {
  const message = JSON.parse(line) as ToAgent;
  if (message.type === "step") steps.set(message.name, message.value);
  else if (message.type !== "start") host?.take(message);
  else {
    host = new RemoteHost(message, steps, writer);
    run(message, host).then(tell, fail);
  }
  return undefined;
}).then(
  () => reallyExit(0),
  () => reallyExit(1),
);
