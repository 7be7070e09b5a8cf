/**
 * What an agent's process must be able to read to load the agent: its module, the files of its project that their source
 * names, packages, and this package. Found by looking at the source, not by running it. What source can name is bounded, so
 * that a module cannot help itself to what lies around it: files of its own project, and no hidden ones.
 */
import { lstat, readdir, readFile, realpath, stat } from "node:fs/promises";
import { createRequire, findPackageJSON } from "node:module";
import { dirname, extname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Files of a project that are looked at. A larger project is refused: bundle it, or make packages of its parts. */
const MAX_FILES = 5_000;
/** Source beyond this is not looked into for further imports, in bytes. */
const MAX_SOURCE_BYTES = 4_194_304;
/** Imports and requires with a literal, and files told by `new URL("…", import.meta.url)`. */
const SPECIFIER =
  /(?:\bfrom|\bimport|\brequire|\bresolve|\bnew\s+URL)\s*\(?\s*(?:\/\*[^*]*\*\/\s*)?(["'`])([^"'`\n\\]{1,1024})\1/g;
const SOURCE_EXTENSIONS: readonly string[] = [".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".jsx", ".tsx"];
/** What CommonJS tries where there is no such file. */
const PROBED = ["", ".js", ".cjs", ".json", ".ts", ".cts", "/index.js", "/index.cjs", "/index.ts"];

/** This package's own code: `src/`, or `dist/` once built. */
const OWN_CODE = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Paths as Node's `--allow-fs-read` takes them: a file, or a directory with all it holds as `directory/*`.
 * @param module absolute path of the agent's module, with links followed.
 * @throws Error when it cannot be read, or its project has too many files.
 */
export async function findModuleReads(module: string): Promise<readonly string[]> {
  const reads = new Set<string>([join(OWN_CODE, "*"), join(dirname(OWN_CODE), "package.json")]);
  for (const file of await findFiles(module)) reads.add(file);
  const packages = new PackageSearch(reads);
  await packages.above(dirname(module));
  await packages.above(dirname(OWN_CODE));
  return [...reads];
}

async function findFiles(module: string): Promise<ReadonlySet<string>> {
  const root = projectOf(module);
  const found = new Set([module, join(root, "package.json")]);
  for (const file of found) {
    if (found.size > MAX_FILES) throw new Error(`${module} loads more than ${MAX_FILES} files of its project`);
    if (!SOURCE_EXTENSIONS.includes(extname(file)) || (await stat(file)).size > MAX_SOURCE_BYTES) continue;
    const source = await readFile(file, "utf8");
    for (const [, , specifier = ""] of source.matchAll(SPECIFIER)) {
      const named = await findNamed(specifier, file);
      if (named !== undefined && (isOpen(named, root) || isOpen(named, dirname(module)))) found.add(named);
    }
  }
  return found;
}

/** The directory of the nearest package.json, or the module's own. */
function projectOf(module: string): string {
  const manifest = findPackageJSON(pathToFileURL(module));
  return dirname(manifest ?? module);
}

/** The file a specifier leads to, with links followed; undefined for a package, and for what is no file. */
async function findNamed(specifier: string, from: string): Promise<string | undefined> {
  const path = pathOf(specifier, from);
  if (path === undefined) return undefined;
  for (const end of PROBED) {
    const found = await realFile(path + end);
    if (found !== undefined) return found;
  }
  return undefined;
}

function pathOf(specifier: string, from: string): string | undefined {
  try {
    if (specifier.startsWith("file:")) return fileURLToPath(specifier);
    if (/^\.{0,2}\//.test(specifier)) return isAbsolute(specifier) ? specifier : resolve(dirname(from), specifier);
    // The project's own names for its files, in "imports" of its package.json.
    return specifier.startsWith("#") ? createRequire(from).resolve(specifier) : undefined;
  } catch {
    return undefined;
  }
}

async function realFile(path: string): Promise<string | undefined> {
  try {
    const real = await realpath(path);
    return (await stat(real)).isFile() ? real : undefined;
  } catch {
    return undefined;
  }
}

/** Of the project, and not hidden: what begins with a dot holds secrets, and the runtime's data. */
function isOpen(path: string, root: string): boolean {
  const within = relative(root, path);
  const segments = within.split(sep);
  return (
    !isAbsolute(within) && !segments.some((segment) => segment.startsWith(".")) && !segments.includes("node_modules")
  );
}

/** Collects the packages that modules in a directory can reach, those included that are links to elsewhere. */
class PackageSearch {
  readonly #reads: Set<string>;
  readonly #seen = new Set<string>();

  constructor(reads: Set<string>) {
    this.#reads = reads;
  }

  async above(directory: string): Promise<void> {
    for (let at = directory; ; at = dirname(at)) {
      await this.#packages(join(at, "node_modules"));
      if (at === dirname(at)) return;
    }
  }

  async #packages(directory: string): Promise<void> {
    if (this.#seen.has(directory)) return;
    this.#seen.add(directory);
    const real = await realpath(directory).catch(() => undefined);
    if (real === undefined) return;
    this.#reads.add(join(directory, "*")).add(join(real, "*"));
    const names = await readdir(real, { withFileTypes: true });
    for (const entry of names) {
      const path = join(real, entry.name);
      if (entry.isSymbolicLink()) await this.#linked(path);
      if (!entry.isDirectory() || !entry.name.startsWith("@")) continue;
      for (const scoped of await readdir(path, { withFileTypes: true })) {
        if (scoped.isSymbolicLink()) await this.#linked(join(path, scoped.name));
      }
    }
  }

  /** A package of a workspace: what stands in its directory, without what is hidden. */
  async #linked(link: string): Promise<void> {
    const real = await realpath(link).catch(() => undefined);
    if (real === undefined || real.includes(`${sep}node_modules${sep}`) || this.#seen.has(real)) return;
    this.#seen.add(real);
    if (!(await lstat(real)).isDirectory()) return;
    for (const entry of await readdir(real, { withFileTypes: true })) {
      if (entry.name.startsWith(".") || entry.isSymbolicLink()) continue;
      this.#reads.add(join(real, entry.name, entry.isDirectory() ? "*" : ""));
    }
    await this.above(real);
  }
}
