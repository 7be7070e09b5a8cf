/** The dependencies that manifests declare. Takes what is written there; resolves and downloads nothing. */
import { basename } from "node:path";

/** A manifest larger than this, in bytes, is not one that a person wrote. */
const MAX_MANIFEST_BYTES = 1_048_576;
const DEPENDENCIES_KEPT = 1_000;
const MAX_NAME_LENGTH = 100;

export interface Manifest {
  readonly path: string;
  readonly dependencies: readonly string[];
  /** Present when the manifest could not be read. */
  readonly problem?: string;
}

const READERS: Readonly<Record<string, (text: string) => readonly string[]>> = {
  "package.json": fromPackageJson,
  "pyproject.toml": fromPyproject,
  "requirements.txt": fromRequirements,
  "Cargo.toml": fromCargo,
  "go.mod": fromGoMod,
};

/** @returns undefined for a file that is no manifest, by its name. */
export function readManifest(path: string, content: Uint8Array): Manifest | undefined {
  const name = basename(path);
  const read = Object.hasOwn(READERS, name) ? READERS[name] : undefined;
  if (read === undefined) return undefined;
  if (content.length > MAX_MANIFEST_BYTES) return { path, dependencies: [], problem: "too large" };
  try {
    const names = read(new TextDecoder().decode(content)).map((each) => each.slice(0, MAX_NAME_LENGTH));
    return { path, dependencies: [...new Set(names)].sort().slice(0, DEPENDENCIES_KEPT) };
  } catch (error) {
    return { path, dependencies: [], problem: error instanceof Error ? error.message : String(error) };
  }
}

function fromPackageJson(text: string): readonly string[] {
  const manifest: unknown = JSON.parse(text);
  const sections = ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"] as const;
  if (!isRecord(manifest)) return [];
  return sections.flatMap((section) => {
    const dependencies = manifest[section];
    return isRecord(dependencies) ? Object.keys(dependencies) : [];
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `name[extra]>=1.2 ; marker` → `name`. */
function requirementName(requirement: string): readonly string[] {
  return /^\s*([A-Za-z0-9][A-Za-z0-9._-]*)/.exec(requirement)?.slice(1, 2) ?? [];
}

function fromRequirements(text: string): readonly string[] {
  return text.split("\n").flatMap(requirementName);
}

/** `[project] dependencies = […]`, and Poetry's tables. */
function fromPyproject(text: string): readonly string[] {
  const project = tomlTable(text, /^project$/);
  const list = /^dependencies\s*=\s*\[([\s\S]*?)\]\s*(?:#.*)?$/m.exec(project)?.[1] ?? "";
  const listed = [...list.matchAll(/"([^"]*)"|'([^']*)'/g)].flatMap((match) =>
    requirementName(match[1] ?? match[2] ?? ""),
  );
  const poetry = tomlKeys(tomlTable(text, /^tool\.poetry\.(?:group\.[^.]+\.)?(?:dev-)?dependencies$/));
  return [...listed, ...poetry.filter((name) => name !== "python")];
}

function fromCargo(text: string): readonly string[] {
  const inline = tomlKeys(tomlTable(text, /^(?:workspace\.|target\..+\.)?(?:dev-|build-)?dependencies$/));
  const tables = [...text.matchAll(/^\[(?:workspace\.)?(?:dev-|build-)?dependencies\.([\w-]+)\]/gm)].map(
    (match) => match[1] as string,
  );
  return [...inline, ...tables];
}

/** The lines under the table headers that match, without the headers. */
function tomlTable(text: string, header: RegExp): string {
  let inside = false;
  return text
    .split(/\r?\n/)
    .filter((line) => {
      const name = /^\s*\[\s*([^[\]]+?)\s*\]/.exec(line)?.[1];
      if (name !== undefined) inside = header.test(name);
      return inside && name === undefined;
    })
    .join("\n");
}

function tomlKeys(table: string): readonly string[] {
  return [...table.matchAll(/^\s*"?([A-Za-z0-9_-]+)"?(?:\.\w+)?\s*=/gm)].map((match) => match[1] as string);
}

function fromGoMod(text: string): readonly string[] {
  return text
    .replace(/^require\s*\(([\s\S]*?)\)/gm, (_block, lines: string) => lines.replace(/^\s*(?=\S)/gm, "require "))
    .split("\n")
    .flatMap((line) => /^\s*require\s+([^\s/][^\s]*)\s+v/.exec(line)?.slice(1, 2) ?? []);
}
