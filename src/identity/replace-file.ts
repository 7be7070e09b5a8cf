/** Replaces a file so that a crash at any moment leaves the old content or the new, whole. */
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Readable by its owner only. One caller at a time: the temporary name is fixed, so that a crash leaves at most one. */
export async function replaceFile(path: string, content: string): Promise<void> {
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

/** Makes the rename itself durable. Windows cannot open directories, and needs no such step. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
