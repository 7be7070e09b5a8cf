import { describe, expect, it } from "vitest";
import { createOutput } from "./process-io.ts";

const terminal = { isTTY: true, columns: 120, rows: 40, write: () => true };
const pipe = { ...terminal, isTTY: false };

describe("createOutput", () => {
  it.each([
    ["a terminal", terminal, {}, { live: true, colors: true, width: 120 }],
    ["NO_COLOR", terminal, { NO_COLOR: "1" }, { live: true, colors: false, width: 120 }],
    ["an empty NO_COLOR", terminal, { NO_COLOR: "" }, { live: true, colors: true, width: 120 }],
    ["TERM=dumb", terminal, { TERM: "dumb" }, { live: false, colors: false, width: 120 }],
    ["a terminal of unknown width", { ...terminal, columns: 0 }, {}, { live: true, colors: true, width: 80 }],
    ["a pipe", pipe, {}, { live: false, colors: false, width: undefined }],
  ])("knows what %s can do", (_, stream, env, expected) => {
    const output = createOutput(stream, env);
    expect({ live: output.live, colors: output.colors, width: output.width() }).toEqual(expected);
  });
});
