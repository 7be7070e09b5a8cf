import { describe, expect, it } from "vitest";
import { createFakeWorld } from "../../testing/fake-world.ts";
import { createTestOutput } from "../test-io.ts";
import { createScreen } from "./screen.ts";

const CLEAR = "\r\u001b[2K";

describe("a screen on a terminal", () => {
  it("keeps its bottom line below all others, and removes it at the end", () => {
    const world = createFakeWorld();
    const output = createTestOutput({ width: 20 });
    const screen = createScreen(output, world.timers);
    screen.bottom((width) => `bar of ${width}`);
    screen.line("one");
    screen.close();
    expect(output.text).toBe(`bar of 17${CLEAR}one\n`);
    expect(world.pendingTimers).toBe(0);
  });

  it("keeps several lines at its bottom, and removes all of them", async () => {
    const world = createFakeWorld();
    const output = createTestOutput({ width: 20 });
    const screen = createScreen(output, world.timers);
    screen.bottom(() => "bar\ngauge\nchild");
    await world.advance(50);
    screen.bottom(() => "bar");
    await world.advance(50);
    screen.line("one");
    screen.close();
    const above = "\u001b[1A\u001b[2K";
    expect(output.text).toBe(`bar\ngauge\nchild${CLEAR}${above}${above}bar${CLEAR}one\nbar${CLEAR}`);
  });

  it("shows no more at its bottom than it can clear again", async () => {
    const world = createFakeWorld();
    const output = createTestOutput({ width: 20, height: 3 });
    const screen = createScreen(output, world.timers);
    screen.bottom(() => "bar\ngauge\nchild");
    await world.advance(50);
    screen.close();
    expect(output.text).toBe(`bar\ngauge${CLEAR}\u001b[1A\u001b[2K`);
  });

  it("draws at most once a frame, the newest", async () => {
    const world = createFakeWorld();
    const output = createTestOutput({});
    const screen = createScreen(output, world.timers);
    for (let step = 0; step <= 100; step++) screen.bottom(() => `${step}%`);
    expect(output.text).toBe("0%");
    await world.advance(50);
    expect(output.text).toBe(`0%${CLEAR}100%`);
    await world.advance(1_000);
    expect(output.text).toBe(`0%${CLEAR}100%`);
    screen.close();
    expect(world.pendingTimers).toBe(0);
  });

  it("loses no line that waits for a frame", () => {
    const world = createFakeWorld();
    const output = createTestOutput({});
    const screen = createScreen(output, world.timers);
    for (const text of ["a", "b", "c"]) screen.line(text);
    screen.close();
    expect(output.text).toBe("a\nb\nc\n");
  });
});

describe("a screen that is no terminal", () => {
  it("prints lines at once, and no control sequence", () => {
    const world = createFakeWorld();
    const output = createTestOutput();
    const screen = createScreen(output, world.timers);
    screen.bottom(() => "bar");
    screen.line("one");
    expect(output.text).toBe("one\n");
    screen.close();
    expect(output.text).toBe("one\n");
    expect(world.pendingTimers).toBe(0);
  });
});
