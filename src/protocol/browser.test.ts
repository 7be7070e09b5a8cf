import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";

/** A page loads this before it can show anything. */
const MAX_MINIFIED_BYTES = 24 * 1024;

test("bundles for a browser: nothing of Node, nothing made from text, small", async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL("./index.ts", import.meta.url))],
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    minify: true,
    write: false,
    metafile: true,
  });
  const text = outputFiles[0]?.text ?? "";
  expect(Object.values(metafile.inputs).flatMap((input) => input.imports.filter(({ external }) => external))).toEqual(
    [],
  );
  expect(text).toContain("session.hello");
  expect(text).not.toMatch(/\beval\b|new Function\b|\bnode:|\brequire\(/);
  expect(text.length).toBeLessThan(MAX_MINIFIED_BYTES);
});
