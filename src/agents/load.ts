/** Agents from files: `leasehold serve ./agents.ts`. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type AgentDefinition, isAgentDefinition } from "./define-agent.ts";

/**
 * Imports modules (.ts or .js, relative to the working directory) and returns every agent they export: by itself, in an
 * array or in an object. One that is exported twice is returned once.
 * @param urlOf the URL to import the module at an absolute path by.
 * @throws Error that names the file: not found, not a file, fails to load (with the cause), or without an agent.
 */
export async function loadAgents(
  files: readonly string[],
  urlOf: (path: string) => string = (path) => pathToFileURL(path).href,
): Promise<readonly AgentDefinition[]> {
  const found = new Set<AgentDefinition>();
  // One after the other: modules may depend on the order of their side effects, and errors on the order of the list.
  for (const file of files) {
    const agents = await loadFile(file, urlOf);
    if (agents.length === 0) {
      throw new Error(
        `${file} exports no agent: export what defineAgent returns, such as "export const report = defineAgent({ … })"`,
      );
    }
    for (const agent of agents) found.add(agent);
  }
  return [...found];
}

async function loadFile(file: string, urlOf: (path: string) => string): Promise<readonly AgentDefinition[]> {
  const path = resolve(file);
  const info = await stat(path).catch((cause: unknown) => {
    throw new Error(`agent file ${file} cannot be read: ${messageOf(cause)}`, { cause });
  });
  if (!info.isFile()) throw new Error(`agent file ${file} is not a file`);
  let module: Readonly<Record<string, unknown>>;
  try {
    module = await import(urlOf(path));
  } catch (cause) {
    throw new Error(`agent file ${file} failed to load: ${messageOf(cause)}${placeOf(cause)}`, { cause });
  }
  return Object.values(module).flatMap(agentsIn);
}

/** The agents among what a module exports under one name: itself, or in an array or an object. */
export function agentsIn(exported: unknown): readonly AgentDefinition[] {
  if (isAgentDefinition(exported)) return [exported];
  if (typeof exported !== "object" || exported === null) return [];
  return Object.values(exported).filter(isAgentDefinition);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The frames of our own code, which say nothing about an agent's. */
const OWN_CODE = new URL("../", import.meta.url).href;

/** Such as ` (/project/prices.ts:3)`, since it need not be the agent's own file; empty where the error does not tell. */
function placeOf(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  // Node writes the place of a syntax error above the message; any other is in the topmost frame.
  const found =
    /^(\S.*):(\d+)$/.exec(stack.split("\n", 1)[0] ?? "") ??
    [...stack.matchAll(/^ +at (?:.* \()?(file:.*?):(\d+):\d+\)?$/gm)].find(([, url]) => !url?.startsWith(OWN_CODE));
  const [, where = "", line] = found ?? [];
  if (line === undefined) return "";
  return ` (${where.startsWith("file:") ? fileURLToPath(where) : where}:${line})`;
}
