/** Stands in for `curl` where there is none: what the pages use of it, and not more. */
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    header: { type: "string", short: "H", multiple: true },
    data: { type: "string", short: "d" },
    silent: { type: "boolean", short: "s" },
    "no-buffer": { type: "boolean", short: "N" },
    request: { type: "string", short: "X" },
  },
});
const headers = (values.header ?? []).map((header): [string, string] => {
  const [name = "", ...value] = header.split(":");
  return [name, value.join(":").trim()];
});
const body = values.data === undefined ? {} : { body: values.data };
const method = values.request ?? (values.data === undefined ? "GET" : "POST");
const response = await fetch(positionals[0] ?? "", { method, headers, ...body });
for await (const piece of response.body ?? []) process.stdout.write(piece);
