import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createTestIo } from "../test-io.ts";
import { readJson } from "./input.ts";
import { readBudget, readLease } from "./lease.ts";
import { parseDuration, parseInstant, parseLimit, parsePort } from "./numbers-and-times.ts";

const USAGE = expect.objectContaining({ code: "USAGE", exitCode: 1 });

describe("readJson", () => {
  it("reads the argument, standard input, and a file", async () => {
    expect(await readJson('{"a":1}', "the input", createTestIo())).toEqual({ a: 1 });
    expect(await readJson("-", "the input", createTestIo({ stdin: "[1]" }))).toEqual([1]);
    const cwd = fileURLToPath(new URL("../../../", import.meta.url));
    expect(await readJson("@package.json", "the input", createTestIo({ cwd }))).toMatchObject({ name: "leasehold" });
  });

  it("says what is no JSON, and which file cannot be read", async () => {
    await expect(readJson("{", "the input", createTestIo())).rejects.toMatchObject({
      code: "USAGE",
      message: expect.stringContaining("the input is not JSON"),
    });
    await expect(readJson("@missing.json", "the input", createTestIo())).rejects.toMatchObject({
      code: "FILE_UNREADABLE",
      message: expect.stringContaining("missing.json"),
    });
  });
});

describe("readLease", () => {
  it("is undefined when none is asked for", () => expect(readLease([], undefined)).toBeUndefined());

  it("joins pairs and JSON", () => {
    const lease = readLease(["fs.read=/a/**", "fs.read=/b=c", "tool.call=*"], {
      "fs.read": ["/z"],
      "model.use": ["m"],
    });
    expect(lease).toEqual({ "fs.read": ["/z", "/a/**", "/b=c"], "model.use": ["m"], "tool.call": ["*"] });
  });

  it.each(["fs.read", "=x", "fs.read=", ""])("refuses the pair %j", (pair) => {
    expect(() => readLease([pair], undefined)).toThrow(USAGE);
  });

  it.each([[null], ["x"], [[]], [{ "fs.read": "/a" }], [{ "fs.read": [1] }]])("refuses the JSON %j", (json) => {
    expect(() => readLease([], json)).toThrow(USAGE);
  });
});

describe("readBudget", () => {
  it("is undefined when none is given", () => expect(readBudget([])).toBeUndefined());
  it("reads amounts as text", () => {
    expect(readBudget(["USD:5.00", "credits:100"])).toEqual({ USD: "5.00", credits: "100" });
  });
  it.each([[["USD"]], [["USD:"]], [["USD:-1"]], [["USD:1e3"]], [[":5"]], [["USD:1", "USD:2"]]])(
    "refuses %j",
    (amounts) => {
      expect(() => readBudget(amounts)).toThrow(USAGE);
    },
  );
});

describe("numbers and times", () => {
  it.each([
    ["90", 90],
    ["90s", 90],
    ["30m", 1_800],
    ["2h", 7_200],
    ["1d", 86_400],
  ])("takes %s for %i seconds", (text, seconds) => expect(parseDuration(text, "--x")).toBe(seconds));

  it.each(["", "0", "-1", "1.5h", "2w", "h", "1 h"])("refuses the duration %j", (text) => {
    expect(() => parseDuration(text, "--x")).toThrow(USAGE);
  });

  it("takes zero where zero is meant", () => expect(parseDuration("0", "--drain", 0)).toBe(0));

  it("takes a time, or a length of time from now", () => {
    expect(parseInstant("2026-05-13T23:42:00Z", "--expires", 0)).toBe(Date.UTC(2026, 4, 13, 23, 42));
    expect(parseInstant("2h", "--expires", 1_000)).toBe(7_201_000);
  });

  it.each(["tomorrow", "2026", "2026-13-45T99:99:00Z"])("refuses the time %j", (text) => {
    expect(() => parseInstant(text, "--expires", 0)).toThrow(USAGE);
  });

  it("takes ports and limits within their bounds", () => {
    expect([parsePort("0"), parsePort("65535"), parseLimit("1000")]).toEqual([0, 65_535, 1_000]);
    for (const text of ["65536", "-1", "x", "7777.5", ""]) expect(() => parsePort(text)).toThrow(USAGE);
    for (const text of ["0", "1001"]) expect(() => parseLimit(text)).toThrow(USAGE);
  });
});
