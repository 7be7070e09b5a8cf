import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { mkdir, open, readFile, rename, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { holdByComparison, holdDirectory } from "./held-directory.ts";
import { readFileIn } from "./read-file.ts";
import { replaceFileIn } from "./write-file.ts";

let root: string;
let place: string;
beforeEach(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "leasehold-held-")));
  place = join(root, "above/place");
  await mkdir(place, { recursive: true });
  await mkdir(join(root, "elsewhere/place"), { recursive: true });
  await writeFile(join(place, "file"), "right");
  await writeFile(join(root, "elsewhere/place/file"), "wrong");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** What lay at `above` lies at `moved` now, and `above` leads to `elsewhere`. */
async function exchangeAbove(): Promise<void> {
  await rename(join(root, "above"), join(root, "moved"));
  await symlink(join(root, "elsewhere"), join(root, "above"));
}

const { signal } = new AbortController();
const exchanged = { code: "PERMISSION_DENIED", message: expect.stringContaining("exchanged") };

describe.each([
  ["as this system does it", holdDirectory],
  ["where handles have no paths", holdByComparison],
])("a held directory, %s", (_, hold) => {
  it("is read and written in", async () => {
    await using directory = await hold(place);
    expect(String(await readFileIn(directory, "file", { maxBytes: 10, signal }))).toBe("right");
    await replaceFileIn(directory, "file", Buffer.from("new"), { callId: "call_1", signal });
    expect(await readFile(join(place, "file"), "utf8")).toBe("new");
  });

  it("is not held when a link leads to it, at its end or before", async () => {
    await symlink(place, join(root, "link"));
    await expect(hold(join(root, "link"))).rejects.toMatchObject(exchanged);
    await exchangeAbove();
    await expect(hold(place)).rejects.toMatchObject(exchanged);
    await expect(hold(join(root, "none"))).rejects.toMatchObject({ code: "ENOENT" });
    await expect(hold(join(root, "elsewhere/place/file"))).rejects.toMatchObject({ code: "ENOTDIR" });
  });

  it("gives out nothing of another that takes its path, and leaves that one alone", async () => {
    await using directory = await hold(place);
    await exchangeAbove();
    const read = await readFileIn(directory, "file", { maxBytes: 10, signal }).catch((error: unknown) => error);
    if (read instanceof Error) expect(read).toMatchObject(exchanged);
    else expect(String(read)).toBe("right");
    const wrote = replaceFileIn(directory, "file", Buffer.from("new"), { callId: "call_1", signal });
    await wrote.catch((error: unknown) => expect(error).toMatchObject(exchanged));
    expect(await readFile(join(root, "elsewhere/place/file"), "utf8")).toBe("wrong");
  });

  it("has no entry that is a link", async () => {
    await using directory = await hold(place);
    await unlink(join(place, "file"));
    await symlink(join(root, "elsewhere/place/file"), join(place, "file"));
    await expect(readFileIn(directory, "file", { maxBytes: 10, signal })).rejects.toMatchObject(exchanged);
    const write = replaceFileIn(directory, "file", Buffer.from("new"), { callId: "call_1", signal });
    await expect(write).rejects.toMatchObject(exchanged);
    expect(await readFile(join(root, "elsewhere/place/file"), "utf8")).toBe("wrong");
  });
});

it("without paths of handles, an entry that was opened elsewhere is found out when all is back in its place", async () => {
  await using directory = await holdByComparison(place);
  await exchangeAbove();
  await using wrong = await open(directory.entryPath("file"));
  await unlink(join(root, "above"));
  await rename(join(root, "moved"), join(root, "above"));
  await expect(directory.verify("file", wrong)).rejects.toMatchObject(exchanged);
});

describe("a stop", () => {
  /** Aborts when it is asked for the `last` time. */
  function abortingAt(last: number): AbortSignal {
    const stopped = new Error("stopped");
    let asked = 0;
    return Object.assign(new AbortController().signal, {
      throwIfAborted() {
        if (++asked >= last) throw stopped;
      },
    });
  }

  it("in the middle of reading gives out nothing", async () => {
    await writeFile(join(place, "file"), Buffer.alloc(5_000_000));
    await using directory = await holdDirectory(place);
    const read = readFileIn(directory, "file", { maxBytes: 5_000_000, signal: abortingAt(3) });
    await expect(read).rejects.toThrow("stopped");
  });

  it("in the middle of writing leaves the file as it was, and nothing beside it", async () => {
    await using directory = await holdDirectory(place);
    const long = Buffer.alloc(5_000_000);
    for (const last of [1, 3, 6]) {
      const write = replaceFileIn(directory, "file", long, { callId: "call_1", signal: abortingAt(last) });
      await expect(write).rejects.toThrow("stopped");
    }
    expect(await readFile(join(place, "file"), "utf8")).toBe("right");
    await expect(open(join(place, ".leasehold-call_1"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});
