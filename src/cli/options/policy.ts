/** `--policy <file>`: what may be granted, and to whom, as a JSON file of what `createRuntime` takes as `policy`. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { PolicyRules } from "../../identity/policy-rules.ts";
import { createRulesPolicy } from "../../identity/rules-policy.ts";
import { CliError, usageError } from "../cli-error.ts";
import type { CliIo } from "../io.ts";

const EXAMPLE = 'write JSON such as {"rules":[{"name":"team","principals":["acme/*"],"lease":{"tool.call":["*"]}}]}';

/** @throws CliError FILE_UNREADABLE; USAGE naming what in the file makes no sense. */
export async function readPolicy(file: string, io: CliIo): Promise<PolicyRules> {
  const text = await readFile(resolve(io.cwd, file), "utf8").catch((error: unknown) => {
    throw new CliError("FILE_UNREADABLE", `cannot read ${file}`, { remedy: "check --policy", cause: error });
  });
  let rules: PolicyRules;
  try {
    rules = JSON.parse(text);
  } catch {
    throw usageError(`${file} is not JSON`, EXAMPLE);
  }
  try {
    createRulesPolicy(rules);
  } catch (error) {
    throw usageError(`${file}: ${(error as Error).message}`, EXAMPLE);
  }
  return rules;
}
