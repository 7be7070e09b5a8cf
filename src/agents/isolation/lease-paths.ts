/**
 * The paths of a lease that Node's permission model can express, for an isolated agent that uses `node:fs` itself: a plain
 * path, or all there is below one. Whatever else a lease allows goes through `ctx.fs`, which the runtime carries out.
 */
import { lstat, readdir, realpath } from "node:fs/promises";
import { dirname } from "node:path";

/** Entries listed to leave one out. Of a directory with more, nothing is granted to `node:fs`. */
const MAX_ENTRIES = 1_000;
/** What the system tells about itself and about other processes, theirs environment among it. */
const SYSTEM_PATHS: readonly string[] = ["/proc", "/sys", "/dev"];

/**
 * @param patterns of `fs.read` or `fs.write`.
 * @param apart absolute paths that no grant may reach, such as the runtime's data.
 * @returns paths as Node's `--allow-fs-…` takes them.
 */
export async function findLeasePaths(
  patterns: readonly string[],
  apart: readonly string[],
): Promise<readonly string[]> {
  const left = [...SYSTEM_PATHS, ...apart];
  const found: string[] = [];
  for (const pattern of patterns) {
    const directory = pattern === "**" || pattern === "/**" ? "/" : /^(\/.*)\/\*\*$/.exec(pattern)?.[1];
    const path = directory ?? pattern;
    if (/[*?]/.test(path) || !path.startsWith("/") || !(await isStraight(path))) continue;
    if (directory !== undefined) found.push(...(await everythingIn(directory, left)));
    else if (!(await isDirectory(path)) && !isWithinAny(path, left)) found.push(path);
  }
  return found;
}

/**
 * @param paths as Node's `--allow-fs-…` takes them.
 * @returns the same but for places within `apart`, which are walked around.
 */
export async function leaveOut(paths: readonly string[], apart: readonly string[]): Promise<readonly string[]> {
  const left = paths.map(async (path) => {
    if (path.endsWith("/*")) return await everythingIn(path.slice(0, -2), apart);
    return isWithinAny(path, apart) ? [] : [path];
  });
  return (await Promise.all(left)).flat();
}

/** Node follows links without asking where they lead: a path with one on its way, or at its end, grants another place. */
async function isStraight(path: string): Promise<boolean> {
  try {
    return (await realpath(path)) === path;
  } catch {
    // What is not there yet: the place it is to be made in.
    return path !== "/" && (await isStraightParent(path));
  }
}

async function isStraightParent(path: string): Promise<boolean> {
  const parent = dirname(path);
  const isLink = await lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
  return !isLink && (await isStraight(parent));
}

async function isDirectory(path: string): Promise<boolean> {
  return await lstat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

function isWithinAny(path: string, places: readonly string[]): boolean {
  return places.some((place) => path === place || path.startsWith(`${place}/`));
}

/** All there is in a directory but what is to be left out, which is walked around. */
async function everythingIn(directory: string, apart: readonly string[]): Promise<readonly string[]> {
  if (isWithinAny(directory, apart)) return [];
  const below = directory === "/" ? "/" : `${directory}/`;
  if (!apart.some((place) => place.startsWith(below))) return [`${below}*`];
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  if (entries.length > MAX_ENTRIES) return [];
  const found: string[] = [];
  for (const entry of entries) {
    const path = `${below}${entry.name}`;
    if (entry.isSymbolicLink() || entry.name.includes("*")) continue;
    if (entry.isDirectory()) found.push(...(await everythingIn(path, apart)));
    else if (!isWithinAny(path, apart)) found.push(path);
  }
  return found;
}
