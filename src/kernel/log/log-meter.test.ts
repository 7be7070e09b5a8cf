import { describe, expect, it, vi } from "vitest";
import { LogMeter } from "./log-meter.ts";

const OVERHEAD = 96;

function meter(limit: number, bytes = 0) {
  const onNear = vi.fn();
  return { meter: new LogMeter({ limit, bytes, onNear }), onNear };
}

describe("a log meter", () => {
  it("admits entries up to the limit, and none beyond", () => {
    const { meter: log } = meter(10 * (100 + OVERHEAD));
    for (let entry = 0; entry < 10; entry++) expect(log.admit("x".repeat(100))).toBe(true);
    expect(log.admit("")).toBe(false);
  });

  it("counts an entry that does not fit for nothing: a smaller one still does", () => {
    const { meter: log } = meter(1_000);
    expect(log.admit("x".repeat(1_000))).toBe(false);
    expect(log.admit("x".repeat(1_000 - OVERHEAD))).toBe(true);
    expect(log.admit("")).toBe(false);
  });

  it("counts bytes and not characters near the limit", () => {
    const { meter: log, onNear } = meter(1_000);
    expect(log.admit("€".repeat(300))).toBe(true);
    expect(onNear).toHaveBeenCalledTimes(1);
    expect(log.admit("€")).toBe(false);
  });

  it("asks for the bytes of what it counted in characters once that can reach the limit, and believes the answer", () => {
    const { meter: log, onNear } = meter(30_000);
    for (let entry = 0; entry < 11; entry++) log.admit("€".repeat(900));
    expect(onNear).toHaveBeenCalledTimes(1);
    log.correct(29_500);
    expect(log.admit("x".repeat(500 - OVERHEAD))).toBe(true);
    expect(log.admit("")).toBe(false);
  });

  it("goes on from what is on the log already", () => {
    const { meter: log } = meter(1_000, 800);
    expect(log.admit("x".repeat(201 - OVERHEAD))).toBe(false);
    expect(log.admit("x".repeat(200 - OVERHEAD))).toBe(true);
  });
});
