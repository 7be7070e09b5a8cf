/** Bundles the page as a user would, and serves it under a policy that lets no code be made from text. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const POLICY = "default-src 'none'; script-src 'self'; connect-src ws://127.0.0.1:*";
const PAGE =
  '<!doctype html><meta charset="utf-8"><title>Leasehold</title><script type="module" src="/page.js"></script>';

export interface PageServer extends AsyncDisposable {
  readonly url: string;
}

export async function servePage(): Promise<PageServer> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("./page.ts", import.meta.url))],
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    conditions: ["leasehold-source"],
    write: false,
    logLevel: "error",
  });
  const script = outputFiles[0]?.text ?? "";
  const server = createServer(({ url }, response) => {
    response.setHeader("Content-Security-Policy", POLICY);
    if (url === "/") response.setHeader("Content-Type", "text/html").end(PAGE);
    else if (url === "/page.js") response.setHeader("Content-Type", "text/javascript").end(script);
    else response.writeHead(404).end();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}
