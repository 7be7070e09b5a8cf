/** The client as a browser gets it: one file, without Node, without code made from text. */
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, it } from "vitest";

/** Compressed, in bytes. Raise it knowingly. */
const MAX_SIZE = 21_504;

it("bundles for a browser, small and without eval", async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: ["src/client/index.ts"],
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    minify: true,
    write: false,
    metafile: true,
  });
  const code = outputFiles[0]?.text ?? "";
  const imports = Object.values(metafile.inputs).flatMap((input) => input.imports.map(({ path }) => path));
  expect(imports.filter((path) => path.startsWith("node:"))).toEqual([]);
  expect(Object.values(metafile.outputs).flatMap((output) => output.imports)).toEqual([]);
  expect(code).not.toMatch(/\beval\(|\bFunction\(|\bprocess\.|\bBuffer\./);
  expect(gzipSync(code).length).toBeLessThan(MAX_SIZE);
});
