/** Which agents exist here: `name@version` → what the kernel runs. */
import type { AgentListing, Agents, RunnableAgent } from "../kernel/agents-port.ts";
import type { Ids } from "../platform/world.ts";
import { CodedError } from "../protocol/errors.ts";
import type { ContextOptions } from "./context.ts";
import { AGENT_NAME, AGENT_VERSION, type AgentDefinition, isAgentDefinition } from "./define-agent.ts";
import { createRunnableAgent } from "./runnable-agent.ts";
import { defaultVersion } from "./version-order.ts";

/** Names listed in an error at most. */
const MAX_NAMED = 20;

type Versions = ReadonlyMap<string, RunnableAgent>;

export interface AgentRegistry extends Agents {
  /**
   * From now on new jobs find these agents. Under the same name and version the new one takes the old one's place; every
   * other version that was ever here can still be had by `name@version`, for the jobs that were submitted to it.
   * @throws as `createAgentRegistry` does, having changed nothing.
   */
  replace(definitions: Iterable<AgentDefinition>): void;
}

/**
 * @throws TypeError for something that `defineAgent` did not make.
 * @throws Error when a name and version come twice.
 */
export function createAgentRegistry(
  definitions: Iterable<AgentDefinition>,
  world: { readonly ids: Ids },
  options: ContextOptions = {},
): AgentRegistry {
  const collect = (from: Iterable<AgentDefinition>) => collectAgents(from, world, options);
  /** Versions by name, of agents that are offered. */
  let offered = collect(definitions);
  /** Those, and all there were before. */
  let known = offered;
  let listings = listingsOf(offered, known);
  let defaults = defaultsOf(listings);

  return {
    list: () => listings,
    resolve(reference) {
      const [name, version] = parseReference(reference);
      const versions = version === undefined ? offered.get(name) : known.get(name);
      if (versions === undefined) {
        throw new CodedError(
          "AGENT_NOT_AVAILABLE",
          `no agent ${name}; agents here: ${enumerate([...offered.keys()])}`,
          {
            details: { agent: name },
          },
        );
      }
      const agent = versions.get(version ?? (defaults.get(name) as string));
      if (agent === undefined) {
        const existing = [...versions.keys()];
        throw new CodedError(
          "AGENT_VERSION_NOT_AVAILABLE",
          `agent ${name} has no version ${version}; versions of ${name}: ${enumerate(existing)}`,
          { details: { agent: name, version, versions: existing.slice(0, MAX_NAMED) } },
        );
      }
      return agent;
    },
    replace(replacements) {
      offered = collect(replacements);
      const all = new Map(known);
      for (const [name, versions] of offered) all.set(name, new Map([...(known.get(name) ?? []), ...versions]));
      known = all;
      listings = listingsOf(offered, known);
      defaults = defaultsOf(listings);
    },
  };
}

function collectAgents(
  definitions: Iterable<AgentDefinition>,
  world: { readonly ids: Ids },
  options: ContextOptions,
): ReadonlyMap<string, Versions> {
  const byName = new Map<string, Map<string, RunnableAgent>>();
  for (const definition of definitions) {
    if (!isAgentDefinition(definition)) throw new TypeError("an agent to register was not made by defineAgent");
    const { name, version } = definition;
    const versions = byName.get(name) ?? new Map<string, RunnableAgent>();
    if (versions.has(version))
      throw new Error(`agent ${name}@${version} is registered twice: give one of them another version`);
    byName.set(name, versions.set(version, createRunnableAgent(definition, world, options)));
  }
  return byName;
}

/** A bare name stands for the highest version that is offered, whatever there was before. */
function listingsOf(
  offered: ReadonlyMap<string, Versions>,
  known: ReadonlyMap<string, Versions>,
): readonly AgentListing[] {
  return [...offered].map(([name, versions]) => ({
    name,
    versions: [...(known.get(name) ?? versions).keys()],
    default: defaultVersion([...versions.keys()]),
  }));
}

function defaultsOf(listings: readonly AgentListing[]): ReadonlyMap<string, string> {
  return new Map(listings.map((listing) => [listing.name, listing.default]));
}

function parseReference(reference: string): [name: string, version: string | undefined] {
  const at = reference.indexOf("@");
  const name = at === -1 ? reference : reference.slice(0, at);
  const version = at === -1 ? undefined : reference.slice(at + 1);
  if (!AGENT_NAME.test(name) || (version !== undefined && !AGENT_VERSION.test(version))) {
    throw new CodedError("INVALID_REQUEST", 'agent must be "name" or "name@version", such as "repo-report@1.0.0"', {
      details: { field: "agent" },
    });
  }
  return [name, version];
}

function enumerate(names: readonly string[]): string {
  if (names.length === 0) return "none";
  const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : "";
  return names.slice(0, MAX_NAMED).join(", ") + more;
}
