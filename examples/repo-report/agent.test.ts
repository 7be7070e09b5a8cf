import { chmod, mkdir, mkdtemp, realpath, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createRuntime, type Runtime } from "leasehold";
import type { JobEvent, SubmitOptions } from "leasehold/client";
import { createMemoryStore } from "leasehold/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { repoReport, repoReportFolder } from "./agent.ts";

const AGENTS = [repoReport, repoReportFolder];

let root: string;
let runtime: Runtime;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "repo-report-")));
  runtime = await createRuntime({ agents: AGENTS, store: createMemoryStore() });
});
afterEach(async () => {
  await runtime.close();
  await chmod(join(root, "locked"), 0o700).catch(() => undefined);
  await rm(root, { recursive: true });
});

async function write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
}

const lease = (): SubmitOptions => ({
  lease: { "fs.read": [`${root}/**`], "agent.delegate": ["repo-report-folder"] },
  budget: { credits: "10" },
});

interface Reported {
  readonly markdown: string;
  readonly events: readonly JobEvent[];
  readonly credits: string | undefined;
}

async function report(input: Readonly<Record<string, unknown>> = {}, options: SubmitOptions = {}): Promise<Reported> {
  const job = await runtime.submit("repo-report", { path: root, ...input }, { ...lease(), ...options });
  const events: JobEvent[] = [];
  for await (const event of job.events()) events.push(event);
  const markdown = String(await job.result());
  return { markdown, events, credits: remaining(events) };
}

function bodies(events: readonly JobEvent[], kind: string): readonly unknown[] {
  return events.filter((event) => event.kind === kind).map(({ body }) => body);
}

/** As the runtime last told of it. */
function remaining(events: readonly JobEvent[]): string | undefined {
  return events
    .flatMap(({ kind, body }) =>
      kind === "metric" && body.name === "cost.budget.remaining" ? [String(body.value)] : [],
    )
    .at(-1);
}

describe("repo-report", () => {
  it("counts files, lines and languages, and streams the report as its result", async () => {
    await write({
      "README.md": "# Title\n\ntext",
      "src/main.ts": "const a = 1;\n// TODO: name it | better\n",
      "src/deep/er.ts": "",
      "lib/tool.py": "# FIXME slow\nprint(1)\n",
      "lib/package.json": '{ "dependencies": { "left": "1" } }\n',
      "lib/logo.png": Uint8Array.of(137, 80, 78, 71, 0, 1, 10, 10),
    });
    const { markdown, events, credits } = await report();
    expect(markdown).toContain("6 files, 8 lines, 118 B, 2 TODOs and FIXMEs.");
    expect(markdown).toContain("| TypeScript | 2 | 2 |");
    expect(markdown).toContain("| Markdown | 1 | 3 |");
    expect(markdown).toContain("| Python | 1 | 2 |");
    expect(markdown).toContain("| `(top level)` | 1 | 3 | 13 B |");
    expect(markdown).toContain("- `src/main.ts:2` TODO name it \\| better");
    expect(markdown).toContain("- `lib/tool.py:1` FIXME slow");
    expect(markdown).toContain("- `lib/package.json` (1): `left`");
    expect(bodies(events, "progress").at(-1)).toMatchObject({ current: 6, total: 6 });
    expect(bodies(events, "metric")).toContainEqual({ name: "repo.files", value: 6, unit: "files" });
    expect(credits).toBe("9.994");
  });

  it("gives each folder's job that folder and the money for its files, and reads no file itself", async () => {
    await write({ "one.txt": "1\n", "a/two.txt": "2\n", "b/three.txt": "3\n", "b/c/four.txt": "4\n" });
    const { events } = await report();
    const given = bodies(events, "delegate").map((body) => (body as { lease: unknown }).lease);
    expect(given).toEqual([
      { "fs.read": [`${root}/a/**`], "cost.budget": ["credits:0.001"] },
      { "fs.read": [`${root}/b/**`], "cost.budget": ["credits:0.002"] },
      { "fs.read": [`${root}/*`], "cost.budget": ["credits:0.001"] },
    ]);
    const calls = bodies(events, "tool_call").map((body) => (body as { tool: string }).tool);
    expect(new Set(calls)).toEqual(new Set(["fs.list"]));
  });

  it("cuts a large folder into several jobs, and adds up what they found", async () => {
    await write(Object.fromEntries(Array.from({ length: 260 }, (_, index) => [`many/${index}.txt`, "x\n"])));
    const { markdown, events } = await report();
    expect(markdown).toContain("| `many` | 260 | 260 | 520 B |");
    expect(bodies(events, "delegate")).toHaveLength(2);
    expect(bodies(events, "progress").at(-1)).toMatchObject({ current: 260, total: 260 });
  });

  it("leaves out what is ignored, and follows no symbolic link", async () => {
    await write({
      ".gitignore": "dist/\n*.log\n!keep.log\n",
      ".git/config": "x\n",
      "node_modules/a/index.js": "x\n",
      "dist/out.js": "x\n",
      "a.log": "x\n",
      "keep.log": "x\n",
      "pkg/.gitignore": "/local\n",
      "pkg/local": "x\n",
      "pkg/sub/local": "x\n",
    });
    await symlink(root, join(root, "pkg", "loop"));
    const { markdown } = await report();
    expect(markdown).toContain("4 files");
    const largest = [.../`([^`]+)` \| \d+ B \|$/gm[Symbol.matchAll](markdown.split("## Largest files")[1] ?? "")];
    expect(largest.map(([, path]) => path)).toEqual([".gitignore", "pkg/.gitignore", "keep.log", "pkg/sub/local"]);
  });

  it("goes on where it was after a stop in the middle, and pays for each file once", async () => {
    const files = Array.from({ length: 600 }, (_, index) => [`b/${index}.txt`, "2\n"]);
    await write({ "a/one.ts": "1\n", ...Object.fromEntries(files) });
    const data = await mkdtemp(join(tmpdir(), "repo-report-data-"));
    const submission = { ...lease(), idempotencyKey: "one report" };
    const before = await createRuntime({ agents: AGENTS, data });
    const first = await before.submit("repo-report", { path: root }, submission);
    for await (const { kind } of first.events()) if (kind === "progress") break;
    await before.close({ drainMs: 0 });
    await writeFile(join(root, "a", "one.ts"), "1\n2\n3\n");

    const after = await createRuntime({ agents: AGENTS, data });
    try {
      const job = await after.submit("repo-report", { path: root }, submission);
      expect(job.id).toBe(first.id);
      const events: JobEvent[] = [];
      for await (const event of job.events()) events.push(event);
      expect(bodies(events, "status")).toContainEqual(expect.objectContaining({ phase: "restarted" }));
      expect(await job.result()).toContain("| `a` | 1 | 1 | 2 B |");
      expect(remaining(events)).toBe("9.399");
    } finally {
      await after.close();
      await rm(data, { recursive: true });
    }
  });

  it("survives what it cannot read, and pays nothing for it", async () => {
    await write({ "a.txt": "1\n", "b.txt": "2\n", "locked/c.txt": "3\n" });
    await chmod(join(root, "locked"), 0);
    await chmod(join(root, "b.txt"), 0);
    const asRoot = process.getuid?.() === 0;
    const { markdown, credits } = await report();
    expect(markdown).toContain(asRoot ? "3 files, 3 lines" : "> Not readable: 1 files, 1 folders.");
    expect(credits).toBe(asRoot ? "9.997" : "9.999");
  });

  it("reads no more than maxFiles, and than the credits last for", async () => {
    await write({ "a.txt": "1\n", "b.txt": "2\n", "c/c.txt": "3\n" });
    expect((await report({ maxFiles: 1 })).markdown).toContain("more files than `maxFiles`");
    const { markdown, credits } = await report({}, { budget: { credits: "0.0025" } });
    expect(markdown).toContain("2 files, 2 lines");
    expect(markdown).toContain("more files than the credits last for");
    expect(credits).toBe("0.0005");
  });

  it("knows only the size of a file that is too large to read", async () => {
    await write({
      "large.txt": `${"x".repeat(99)}\n`.repeat(50_000),
      "one-line.js": `${"y".repeat(3_000_000)} // TODO late`,
      "huge.bin": "",
    });
    await truncate(join(root, "huge.bin"), 9_000_000);
    const { markdown } = await report();
    expect(markdown).toContain("| Text | 1 | 50,000 |");
    expect(markdown).toContain("| JavaScript | 1 | 1 |");
    expect(markdown).toContain("| `large.txt` | 4.8 MiB |");
    expect(markdown).toContain("> Counted by size only, being too large to read: 1 files.");
    expect(markdown).toContain("| `huge.bin` | 8.6 MiB |");
  });

  it("stops when the job is stopped, and its folders with it", async () => {
    await write(Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`f/${index}.txt`, "x\n"])));
    const job = await runtime.submit("repo-report", { path: root }, lease());
    const child = (await job.delegated()[Symbol.asyncIterator]().next()).value;
    await job.cancel();
    await expect(job.result()).rejects.toMatchObject({ code: "CANCELLED" });
    await expect(child?.result()).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("explains which lease it needs, with links followed", async () => {
    await symlink(root, join(root, "link"));
    await expect(runtime.submit("repo-report", { path: join(root, "link"), maxFiles: 20 })).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
      details: {
        lease_request: {
          "fs.read": [`${root}/**`],
          "agent.delegate": ["repo-report-folder"],
          "cost.budget": ["credits:0.020"],
        },
      },
    });
  });

  it("says what is wrong with its input, and what its lease does not cover", async () => {
    const granted = { lease: { "fs.read": ["/**"], "agent.delegate": ["*"] }, budget: { credits: "1" } };
    await expect(report({ path: join(root, "missing") }, granted)).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { field: "input.path" },
    });
    await write({ file: "" });
    await expect(report({ path: join(root, "file") }, granted)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await expect(report({ path: "/etc" })).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    await expect(report({ maxFiles: 0 })).rejects.toThrow("input.maxFiles");
    await expect(report({ depth: 1 })).rejects.toThrow("input.depth");
  });
});
