/**
 * `.leasehold/dev.json`: how a second terminal finds the runtime that `leasehold dev` started here. Holds a token, so
 * only its owner may read it; removed when that runtime ends.
 */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

export interface DevFile {
  /** The WebSocket URL. */
  readonly url: string;
  readonly token: string;
  /** The process that serves it. */
  readonly pid: number;
}

export function devFilePath(cwd: string): string {
  return join(cwd, ".leasehold", "dev.json");
}

function parseDevFile(text: string): DevFile | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return undefined;
    const { url, token, pid } = value as Record<string, unknown>;
    if (typeof url !== "string" || typeof token !== "string" || typeof pid !== "number") return undefined;
    if (!URL.canParse(url) || token === "" || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
    return { url, token, pid };
  } catch {
    return undefined;
  }
}

/** The file of that directory; undefined when there is none, or none that can be read. */
export async function readDevFile(cwd: string): Promise<DevFile | undefined> {
  try {
    return parseDevFile(await readFile(devFilePath(cwd), "utf8"));
  } catch {
    return undefined;
  }
}

export async function writeDevFile(cwd: string, content: DevFile): Promise<void> {
  const path = devFilePath(cwd);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  // Renamed into place: a reader never sees half of it, and the mode holds even where a file stood before.
  const draft = `${path}.${content.pid}`;
  await writeFile(draft, `${JSON.stringify(content)}\n`, { mode: 0o600 });
  await rename(draft, path);
}

/** Removes the file if it still is that process's. */
export async function removeDevFile(cwd: string, pid: number): Promise<void> {
  if ((await readDevFile(cwd))?.pid === pid) await rm(devFilePath(cwd), { force: true });
}
