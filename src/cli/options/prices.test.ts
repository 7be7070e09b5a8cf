import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createTestIo } from "../test-io.ts";
import { readPrices } from "./prices.ts";

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "leasehold-cli-"));
});
afterEach(() => rmSync(cwd, { recursive: true }));

function read(text: string) {
  writeFileSync(join(cwd, "prices.json"), text);
  return readPrices("prices.json", createTestIo({ cwd }));
}

describe("--prices", () => {
  it("reads a table", async () => {
    const prices = { "openai/*": { currency: "USD", input: "0.25", output: "2.00" } };
    expect(await read(JSON.stringify(prices))).toEqual(prices);
  });

  it.each([
    ["", "prices.json is not JSON"],
    ["[]", "prices.json: prices must be an object"],
    ['{"m":{"currency":"USD","input":"1"}}', 'prices.json: prices["m"].output'],
  ])("says what is wrong with %s", async (text, message) => {
    await expect(read(text)).rejects.toMatchObject({ code: "USAGE", message: expect.stringContaining(message) });
  });

  it("says that there is no such file", async () => {
    const read = readPrices("missing.json", createTestIo({ cwd }));
    await expect(read).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
  });
});
