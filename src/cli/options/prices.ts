/** `--prices <file>`: what models cost, as a JSON file of what `createRuntime` takes as `prices`. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { createPriceTable, type ModelPrices } from "../../agents/prices.ts";
import { CliError, usageError } from "../cli-error.ts";
import type { CliIo } from "../io.ts";

const EXAMPLE = 'write JSON such as {"openai/gpt-5-mini":{"currency":"USD","input":"0.25","output":"2.00"}}';

/** @throws CliError FILE_UNREADABLE; USAGE naming what in the file makes no sense. */
export async function readPrices(file: string, io: CliIo): Promise<ModelPrices> {
  const text = await readFile(resolve(io.cwd, file), "utf8").catch((error: unknown) => {
    throw new CliError("FILE_UNREADABLE", `cannot read ${file}`, { remedy: "check --prices", cause: error });
  });
  let prices: ModelPrices;
  try {
    prices = JSON.parse(text);
  } catch {
    throw usageError(`${file} is not JSON`, EXAMPLE);
  }
  try {
    return createPriceTable(prices).prices;
  } catch (error) {
    throw usageError(`${file}: ${(error as Error).message}`, EXAMPLE);
  }
}
