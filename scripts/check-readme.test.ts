import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readmeSnippets, writeSnippets } from "./check-readme.ts";
import { plantProject } from "./planted-project.ts";

describe("README snippets", () => {
  it("are the blocks that name a file, in order", () => {
    const page = [
      "```ts agent.ts",
      "one();",
      "",
      "two();",
      "```",
      "text",
      "```sh",
      "npm start",
      "```",
      "```ts src/client.ts",
      "three();",
      "```",
      "",
    ].join("\n");
    using project = plantProject({ "README.md": page });
    expect(readmeSnippets(join(project.root, "README.md"))).toEqual([
      { file: "agent.ts", lang: "ts", text: "one();\n\ntwo();\n" },
      { file: "src/client.ts", lang: "ts", text: "three();\n" },
    ]);
  });

  it("import leasehold by its name from where they are written", () => {
    const text = `import { ERRORS } from "leasehold/protocol";\nconsole.log(typeof ERRORS.TIMEOUT);\n`;
    const folder = writeSnippets([{ file: "nested/program.ts", lang: "ts", text }]);
    try {
      const args = ["--conditions=leasehold-source", join(folder, "nested/program.ts")];
      expect(execFileSync(process.execPath, args, { encoding: "utf8" })).toBe("object\n");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
