import { describe, expect, it } from "vitest";
import { readBounds } from "../../server/runtime-options.ts";
import { readSettings, SETTINGS } from "./settings.ts";

describe("--set", () => {
  it("puts each bound where the runtime looks for it", () => {
    const given = [
      "limits.maxRunningJobs=3",
      "retention.maxAgeSec=60.5",
      "resumeWindowSec=0",
      "retention.maxBytes=unlimited",
    ];
    expect(readSettings(given)).toEqual({
      limits: { maxRunningJobs: 3 },
      retention: { maxAgeSec: 60.5, maxBytes: Number.POSITIVE_INFINITY },
      resumeWindowSec: 0,
    });
  });

  it("takes the last of several", () => {
    expect(readSettings(["limits.maxRunningJobs=3", "limits.maxRunningJobs=4"]).limits).toEqual({ maxRunningJobs: 4 });
  });

  it.each(SETTINGS)("%s is a bound that the runtime heeds", (name) => {
    const changed = readBounds({ agents: [], ...readSettings([`${name}=70001`]) });
    expect(JSON.stringify(changed)).toContain("70001");
  });

  it.each([
    ["limits.maxRunningJob=3", "limits.maxRunningJobs, "],
    ["maxRunningJobs=3", "limits.maxRunningJobs, "],
    ["limits.__proto__=3", "the names are"],
    ["3", "the names are"],
    ["=3", "the names are"],
  ])("refuses %s, and tells the names", (text, remedy) => {
    expect(() => readSettings([text])).toThrow(expect.objectContaining({ remedy: expect.stringContaining(remedy) }));
  });

  it.each(["", "many", "-1", "1e3", "0x10", "1".repeat(16), " 3"])("refuses %j for a number", (value) => {
    expect(() => readSettings([`limits.maxRunningJobs=${value}`])).toThrow("must be a number or unlimited");
  });

  it("leaves it to the runtime to say what makes no sense", () => {
    const bounds = () => readBounds({ agents: [], ...readSettings(["limits.maxRunningJobs=0"]) });
    expect(bounds).toThrow("limits.maxRunningJobs is 0: it must be");
  });
});
