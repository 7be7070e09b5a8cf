import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createRunnableAgent } from "../../src/agents/runnable-agent.ts";
import { createTestHost, type TestHost, type TestHostOptions } from "../../src/agents/test-host.ts";
import { createFakeWorld } from "../../src/testing/fake-world.ts";
import { repoReport } from "./agent.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "repo-report-"));
});
afterEach(async () => {
  await chmod(join(root, "locked"), 0o700).catch(() => undefined);
  await rm(root, { recursive: true });
});

async function write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
}

const agent = createRunnableAgent(repoReport, createFakeWorld());

async function report(
  input: Readonly<Record<string, unknown>> = {},
  options: TestHostOptions = {},
  host = createTestHost(options),
) {
  const outcome = await agent.run(host, await agent.parseInput({ path: root, ...input }));
  const markdown = host
    .bodies("result_chunk")
    .map((body) => body.data)
    .join("");
  return { host, outcome, markdown };
}

const messages = (host: TestHost) => host.bodies("progress").map(({ current, total }) => [current, total]);

/** The runtime notes under an empty name that a streamed result has begun. */
const isOwnStep = (name: string): boolean => name !== "";

describe("repo-report", () => {
  it("counts files, lines and languages, and streams the report as its result", async () => {
    await write({
      "README.md": "# Title\n\ntext",
      "src/main.ts": "const a = 1;\n// TODO: name it | better\n",
      "src/deep/er.ts": "",
      "lib/tool.py": "# FIXME slow\nprint(1)\n",
      "lib/logo.png": Uint8Array.of(137, 80, 78, 71, 0, 1, 10, 10),
    });
    const { host, outcome, markdown } = await report();
    expect(markdown).toContain("5 files, 7 lines, 82 B, 2 TODOs and FIXMEs.");
    expect(markdown).toContain("| TypeScript | 2 | 2 |");
    expect(markdown).toContain("| Markdown | 1 | 3 |");
    expect(markdown).toContain("| Python | 1 | 2 |");
    expect(markdown).toContain("| `(top level)` | 1 | 3 | 13 B |");
    expect(markdown).toContain("- `src/main.ts:2` TODO name it \\| better");
    expect(markdown).toContain("- `lib/tool.py:1` FIXME slow");
    expect(outcome).toMatchObject({
      stream: { size: Buffer.byteLength(markdown) },
      summary: expect.stringContaining("5 files"),
    });
    expect(messages(host).at(-1)).toEqual([5, 5]);
    expect(host.bodies("metric")).toContainEqual({ name: "repo.files", value: 5, unit: "files" });
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
    const { host } = await report();
    expect(host.steps.has("folder:dist")).toBe(false);
    expect([...host.steps.keys()].filter(isOwnStep)).toEqual(["folder:(top level)", "folder:pkg", "dependencies"]);
    const largest = JSON.parse(host.steps.get("folder:pkg") as string).largest.map(
      ({ path }: { path: string }) => path,
    );
    expect(largest).toEqual(["pkg/.gitignore", "pkg/sub/local"]);
    expect(JSON.parse(host.steps.get("folder:(top level)") as string).files).toBe(2);
  });

  it("takes up where an earlier attempt was, and does not read those folders again", async () => {
    await write({ "a/one.ts": "1\n", "b/two.ts": "2\n" });
    const first = await report();
    const recorded = new Map([...first.host.steps].filter(([name]) => name === "folder:a"));
    await writeFile(join(root, "a", "one.ts"), "1\n2\n3\n");
    const second = await report({}, { attempt: 2, steps: recorded });
    expect(second.markdown).toBe(first.markdown);
    const steps = second.host.trace.filter((entry) => entry.startsWith("step:")).map((entry) => entry.slice(5));
    expect(steps.filter(isOwnStep)).toEqual(["folder:b", "dependencies"]);
    expect(messages(second.host).at(-1)).toEqual([2, 2]);
  });

  it("survives what it cannot read, and stops at maxFiles", async () => {
    await write({ "a.txt": "1\n", "b.txt": "2\n", "locked/c.txt": "3\n" });
    await chmod(join(root, "locked"), 0);
    await chmod(join(root, "b.txt"), 0);
    const asRoot = process.getuid?.() === 0;
    expect((await report()).markdown).toContain(asRoot ? "3 files, 3 lines" : "> Not readable: 1 files, 1 folders.");
    expect((await report({ maxFiles: 1 })).markdown).toContain("more files than `maxFiles`");
  });

  it("counts the lines of a large file without holding it", async () => {
    await write({
      "large.txt": `${"x".repeat(99)}\n`.repeat(50_000),
      "one-line.js": `${"y".repeat(3_000_000)} // TODO late`,
    });
    const { markdown } = await report();
    expect(markdown).toContain("| Text | 1 | 50,000 |");
    expect(markdown).toContain("| JavaScript | 1 | 1 |");
    expect(markdown).toContain("| `large.txt` | 4.8 MiB |");
  });

  it("stops when the job is stopped", async () => {
    await write(Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`f${index}.txt`, "x\n"])));
    const host = createTestHost();
    const running = report(
      {},
      {},
      {
        ...host,
        append: (kind, name, body) => {
          const room = host.append(kind, name, body);
          if (kind === "progress") host.stop();
          return room;
        },
      },
    );
    await expect(running).rejects.toMatchObject({ code: "CANCELLED" });
    expect(host.bodies("progress")).toHaveLength(1);
    expect(host.steps.size).toBe(0);
  });

  it("says what is wrong with its input", async () => {
    await expect(report({ path: join(root, "missing") })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { field: "input.path" },
    });
    await write({ file: "" });
    await expect(report({ path: join(root, "file") })).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    expect(() => agent.parseInput({ path: root, maxFiles: 0 })).toThrow("input.maxFiles");
    expect(() => agent.parseInput({ path: root, depth: 1 })).toThrow("input.depth");
  });
});
