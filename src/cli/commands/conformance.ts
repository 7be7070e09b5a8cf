/** `leasehold conformance`: how well a runtime keeps to ARCP v1.1, seen from outside. Ours, unless a URL is given. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { openWebSocket } from "../../client/web-socket.ts";
import { AGENT_ROLES, type AgentRole, DEFAULT_AGENTS } from "../../conformance/agent-roles.ts";
import type { Target } from "../../conformance/bench.ts";
import type { ConformanceCase } from "../../conformance/case.ts";
import { CASES } from "../../conformance/cases.ts";
import { createConformanceAgents } from "../../conformance/conformance-agents.ts";
import { renderJunit } from "../../conformance/junit.ts";
import { type Report, runSuite, Unreachable, Unwelcome } from "../../conformance/suite.ts";
import { createRuntime } from "../../server/runtime.ts";
import { CliError, usageError } from "../cli-error.ts";
import { type ConnectionOptions, findTarget } from "../connection.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { listenForInterrupt } from "../interrupt-signal.ts";
import type { CliIo } from "../io.ts";
import { parseDuration } from "../options/numbers-and-times.ts";
import { colorsFor } from "../render/colors.ts";
import { caseJson, conformanceLines, countOutcomes, reportJson } from "../render/conformance-view.ts";

interface ConformanceOptions extends Omit<ConnectionOptions, "url"> {
  readonly secondToken?: string;
  readonly agent?: readonly string[];
  readonly only?: readonly string[];
  readonly timeout: string;
  readonly junit?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

type Place = Pick<Target, "url" | "token" | "secondToken">;

function readAgents(given: readonly string[] = []): Readonly<Record<AgentRole, string>> {
  const agents = { ...DEFAULT_AGENTS };
  for (const text of given) {
    const [role, name] = text.split("=", 2);
    const known = AGENT_ROLES.find((candidate) => candidate === role);
    if (known === undefined || !name) {
      throw usageError(`--agent must be role=name, not "${text}"`, `roles are ${AGENT_ROLES.join(", ")}`);
    }
    agents[known] = name;
  }
  return agents;
}

/** A requirement's id, or a section and what is below it. */
function readOnly(wanted: readonly string[] | undefined): ((candidate: ConformanceCase) => boolean) | undefined {
  if (wanted === undefined) return undefined;
  const words = wanted.map((word) => word.replace(/^§/, ""));
  return ({ requirement, section }) =>
    words.some((word) => requirement === word || section === word || section.startsWith(`${word}.`));
}

/** So short that the suite can wait for what happens when they run out. */
const OWN_HEARTBEAT_SEC = 1;
const OWN_WINDOW_SEC = 5;

/** A runtime of this very process, in a directory that goes with it. */
async function withOwnRuntime<Value>(io: CliIo, use: (place: Place) => Promise<Value>): Promise<Value> {
  const token = io.world.ids.next("tok");
  const secondToken = io.world.ids.next("tok");
  const principals = new Map([
    [token, { id: "first", tenant: "conformance", roles: ["user"] as const }],
    [secondToken, { id: "second", tenant: "conformance", roles: ["user"] as const }],
  ]);
  const data = await mkdtemp(join(tmpdir(), "leasehold-conformance-"));
  try {
    const runtime = await createRuntime({
      agents: createConformanceAgents(io.world.timers),
      authenticator: { authenticate: async ({ token: presented = "" }) => principals.get(presented) },
      data,
      heartbeatIntervalSec: OWN_HEARTBEAT_SEC,
      resumeWindowSec: OWN_WINDOW_SEC,
      world: io.world,
    });
    try {
      const { url } = await runtime.listen({ port: 0 });
      return await use({ url, token, secondToken });
    } finally {
      await runtime.close();
    }
  } finally {
    await rm(data, { recursive: true, force: true });
  }
}

async function namedPlace(url: string, options: ConformanceOptions, io: CliIo): Promise<Place> {
  const { token } = options;
  const target = await findTarget({ url, ...(token === undefined ? {} : { token }) }, io);
  return { ...target, secondToken: options.secondToken ?? (io.env.LEASEHOLD_SECOND_TOKEN || undefined) };
}

/** Ends with code 0 when no MUST is broken, with 1 when one is, and with 7 when the runtime was lost on the way. */
export async function conformance(url: string | undefined, options: ConformanceOptions, io: CliIo): Promise<ExitCode> {
  const agents = readAgents(options.agent);
  const patienceMs = parseDuration(options.timeout, "--timeout") * 1_000;
  const only = readOnly(options.only);
  if (only !== undefined && !CASES.some(only)) {
    throw usageError("--only matches no case", "give a section such as 6.3, or an id of CONFORMANCE.md");
  }
  const { world } = io;
  using interrupt = listenForInterrupt(io);
  const test = (place: Place): Promise<Report> =>
    runSuite({
      target: { ...place, agents, patienceMs, world, openWebSocket },
      signal: interrupt.signal,
      ...(only === undefined ? {} : { only }),
      ...(options.json ? { onResult: (result) => io.stdout.write(caseJson(result)) } : {}),
    });
  const report = await (url === undefined ? withOwnRuntime(io, test) : namedPlace(url, options, io).then(test)).catch(
    (error: unknown) => {
      throw explain(error);
    },
  );

  if (options.json) io.stdout.write(reportJson(report));
  else
    for (const line of conformanceLines(report, options.all === true, colorsFor(io.stdout)))
      io.stdout.write(`${line}\n`);
  if (options.junit !== undefined) await writeFile(resolve(io.cwd, options.junit), renderJunit(report));
  if (interrupt.signal.aborted) throw interrupt.signal.reason;
  if (countOutcomes(report.results).broken > 0) return EXIT.failure;
  return report.lost ? EXIT.unreachable : EXIT.ok;
}

function explain(error: unknown): unknown {
  if (error instanceof Unreachable) {
    return new CliError("NO_CONNECTION", error.message, {
      remedy: "check the URL, and that the runtime is running",
      exitCode: EXIT.unreachable,
      cause: error,
    });
  }
  if (error instanceof Unwelcome) {
    return new CliError("UNAUTHENTICATED", error.message, {
      remedy: "check --token, or LEASEHOLD_TOKEN",
      exitCode: EXIT.notPermitted,
      cause: error,
    });
  }
  return error;
}
