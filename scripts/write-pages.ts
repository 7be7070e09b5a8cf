/** `npm run conformance`: writes the documents that come from data. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { renderPages } from "./pages.ts";
import { ROOT } from "./repository.ts";

for (const { path, text } of renderPages()) {
  mkdirSync(dirname(join(ROOT, path)), { recursive: true });
  writeFileSync(join(ROOT, path), text);
  console.log(`wrote ${path}`);
}
