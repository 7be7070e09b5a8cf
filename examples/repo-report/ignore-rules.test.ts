import { expect, it } from "vitest";
import { parseIgnoreRules } from "./ignore-rules.ts";

it.each([
  ["*.log", "a/b.log", false, "ignored"],
  ["*.log", "a/b.log.txt", false, undefined],
  ["/build", "build", true, "ignored"],
  ["/build", "a/build", true, undefined],
  ["build/", "a/build", true, "ignored"],
  ["build/", "build", false, undefined],
  ["a/*.js", "a/b.js", false, "ignored"],
  ["a/*.js", "a/b/c.js", false, undefined],
  ["a/**/c", "a/c", false, "ignored"],
  ["a/**/c", "a/x/y/c", false, "ignored"],
  ["a/**", "a/x/y", false, "ignored"],
  ["**/x/**/**/y", "a/x/b/y", false, "ignored"],
  ["?.txt", "a.txt", false, "ignored"],
  ["a+b(1)", "a+b(1)", false, "ignored"],
  ["\\#x", "#x", false, "ignored"],
  ["# x", "# x", false, undefined],
  ["*.log\n!keep.log", "keep.log", false, "kept"],
  ["!keep.log\n*.log", "keep.log", false, "ignored"],
  ["x  \r\ny", "x", false, "ignored"],
  [`${"*a".repeat(20)}b`, "a".repeat(200), false, undefined],
] as const)("%j on %s: %s, %s", (rules, path, isFolder, verdict) => {
  expect(parseIgnoreRules(rules).verdict(path, isFolder)).toBe(verdict);
});
