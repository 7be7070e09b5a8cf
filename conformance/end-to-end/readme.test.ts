/** The npm scripts that README.md says to type. Its programs are run by `conformance/documents/`. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ROOT, readFile } from "../../scripts/repository.ts";
import { commandsOf, words } from "../documents/pages.ts";
import { createPlace, jsonLines, type Place } from "./test-place.ts";

const README = readFile("README.md");
const TYPED = [...README.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, block = ""]) => commandsOf(block));

let place: Place;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place[Symbol.asyncDispose]());

describe("README.md", () => {
  it("names only npm scripts that there are, and arguments that they take", async () => {
    const { scripts } = JSON.parse(readFile("package.json")) as { scripts: Readonly<Record<string, string>> };
    const commands = TYPED.filter((line) => line.startsWith("npm "));
    const named = commands.map((line) => /^npm (?:run )?(\S+)/.exec(line)?.[1] ?? line);
    expect(new Set(named)).toEqual(new Set(["start", "test", "leasehold", "example"]));
    for (const name of named) expect(scripts).toHaveProperty(name);

    // The second terminal's command, with the repository's own runtime in a place of its own.
    const example = join(ROOT, "examples/repo-report/agent.ts");
    const dev = place.start(["dev", example, "--port", "0", "--json"]);
    await dev.until("the line that says where it serves", (stdout) => jsonLines(stdout)[0]);
    const [, , , , ...args] = words(commands.find((line) => line.startsWith("npm run leasehold -- ")) ?? "");
    await mkdir(place.path("src"));
    await place.write("src/main.ts", "// TODO: begin\n");
    const { code, stdout, stderr } = await place.run(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("1 files, 1 lines");
  });
});
