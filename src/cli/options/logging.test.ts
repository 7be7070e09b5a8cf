import { expect, it } from "vitest";
import { createTestIo } from "../test-io.ts";
import { openLog } from "./logging.ts";

it("follows --json, unless a format is named", () => {
  const written = (options: Parameters<typeof openLog>[0]) => {
    const io = createTestIo();
    openLog(options, "info", io).info({ job: "j" }, "hello");
    return io.stderr.text;
  };
  expect(written({})).toBe("info hello job=j\n");
  expect(JSON.parse(written({ json: true }))).toMatchObject({ type: "log", level: "info", message: "hello", job: "j" });
  expect(written({ json: true, logFormat: "text" })).toBe("info hello job=j\n");
  expect(JSON.parse(written({ logFormat: "json" }))).toMatchObject({ message: "hello" });
});

it("begins at the usual level, or at the one that is named", () => {
  const io = createTestIo();
  for (const options of [{}, { logLevel: "debug" }, { logLevel: "error" }])
    openLog(options, "warn", io).debug({}, "fine");
  expect(io.stderr.lines).toEqual(["debug fine"]);
});

it.each([
  [{ logFormat: "xml" }, '--log-format is "xml"'],
  [{ logLevel: "all" }, '--log-level is "all"'],
])("refuses %j", (options, message) => {
  expect(() => openLog(options, "info", createTestIo())).toThrow(message);
});
