/**
 * Agents from files that change while they are served (`leasehold dev`): each load imports the files, and the modules of
 * their project that these import, as they are then. Node keeps every module it has loaded, by its URL: so each load but
 * the first gives these modules URLs of its own. What they replace stays in memory, which is fine in development alone.
 */
import { createRequire, type RegisterHooksOptions, registerHooks } from "node:module";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { AgentDefinition } from "./define-agent.ts";
import { loadAgents } from "./load.ts";

export interface AgentFiles extends Disposable {
  /** @throws Error as `loadAgents` does. */
  load(): Promise<readonly AgentDefinition[]>;
  /** Absolute paths of the files, and of what they have been found to import from their project. */
  readonly paths: ReadonlySet<string>;
}

/** Tells the modules of one load from those of another. */
const LOAD_PARAMETER = "leasehold-load";

const require = createRequire(import.meta.url);

/** A module of the project, and not one of a package. */
function isLocal(specifier: string): boolean {
  return /^(?:\.{0,2}\/|\.{1,2}$|file:|#)/.test(specifier);
}

/** Until it is disposed of, every import in this process passes through here. */
export function createAgentFiles(files: readonly string[]): AgentFiles {
  const paths = new Set(files.map((file) => resolve(file)));
  /** URLs of modules whose imports are looked at. */
  const urls = new Set<string>();
  let loads = 0;

  function urlOf(file: string | URL): string {
    const url = new URL(file);
    if (loads > 1) url.searchParams.set(LOAD_PARAMETER, String(loads));
    return url.href;
  }

  const followImports: RegisterHooksOptions["resolve"] = (specifier, context, next) => {
    const found = next(specifier, context);
    const { parentURL } = context;
    if (parentURL === undefined || !urls.has(parentURL) || !isLocal(specifier)) return found;
    if (!found.url.startsWith("file:") || found.url.includes("/node_modules/")) return found;
    paths.add(fileURLToPath(found.url));
    // CommonJS knows modules by their paths: they are forgotten instead.
    const load = new URL(parentURL).searchParams.get(LOAD_PARAMETER);
    const url = new URL(found.url);
    if (load !== null && !context.conditions?.includes("require")) url.searchParams.set(LOAD_PARAMETER, load);
    urls.add(url.href);
    return { ...found, url: url.href };
  };
  const hooks = registerHooks({ resolve: followImports });

  return {
    paths,
    load() {
      loads += 1;
      for (const path of paths) delete require.cache[path];
      return loadAgents(files, (path) => {
        const url = urlOf(pathToFileURL(path));
        urls.add(url);
        return url;
      });
    },
    [Symbol.dispose]: () => hooks.deregister(),
  };
}
