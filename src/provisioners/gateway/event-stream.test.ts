import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventSplitter, readEvent } from "./event-stream.ts";
import { CHAT_USAGE, chatChunk, chatDelta, DONE, RESPONSE_USAGE } from "./test-upstream.ts";

describe("a stream", () => {
  it("is cut at the ends of events, wherever its pieces end, and loses nothing", () => {
    const event = fc
      .tuple(
        fc.array(fc.constantFrom("data: a", ": ping", "id: é", "event: x"), { minLength: 1 }),
        fc.constantFrom("\n", "\r\n"),
      )
      .map(([lines, end]) => lines.map((line) => line + end).join("") + end);
    fc.assert(
      fc.property(fc.array(event), fc.integer({ min: 1, max: 9 }), fc.boolean(), (events, size, cut) => {
        const bytes = Buffer.from(events.join("") + (cut ? "data: half" : ""));
        const splitter = new EventSplitter();
        const found: string[] = [];
        for (let at = 0; at < bytes.length; at += size) {
          found.push(...splitter.push(bytes.subarray(at, at + size)).map(String));
        }
        expect(found).toEqual(events);
        expect(String(splitter.rest())).toBe(cut ? "data: half" : "");
      }),
    );
  });

  it("without an end to its event is given up", () => {
    const splitter = new EventSplitter();
    const piece = Buffer.alloc(4_194_304, "x");
    expect(() => {
      for (let pieces = 0; pieces < 5; pieces++) splitter.push(piece);
    }).toThrow(RangeError);
  });
});

describe("an event", () => {
  const read = (text: string) => readEvent(Buffer.from(text));

  it("tells usage, alone or beside text", () => {
    expect(read(chatChunk({ choices: [], usage: CHAT_USAGE }))).toEqual({
      usage: CHAT_USAGE,
      usageOnly: true,
      last: false,
    });
    expect(read(chatChunk({ choices: [{}], usage: CHAT_USAGE }))).toMatchObject({
      usage: CHAT_USAGE,
      usageOnly: false,
    });
  });

  it("is the last one", () => {
    expect(read(DONE).last).toBe(true);
    expect(read("data:[DONE]\r\n\r\n").last).toBe(true);
    const completed = { type: "response.completed", response: { usage: RESPONSE_USAGE } };
    expect(read(`event: response.completed\ndata: ${JSON.stringify(completed)}\n\n`)).toMatchObject({
      usage: RESPONSE_USAGE,
      last: true,
    });
  });

  it("is nothing of that, whatever it quotes", () => {
    const nothing = { usage: undefined, usageOnly: false, last: false };
    expect(read(chatDelta('data: [DONE]\n"usage": {"prompt_tokens": 1}'))).toMatchObject({
      usage: undefined,
      last: false,
    });
    expect(read(chatDelta('"response.completed"'))).toMatchObject({ usage: undefined, last: false });
    expect(read(": ping\n\n")).toEqual(nothing);
    expect(read('data: {"usage": {broken\n\n')).toEqual(nothing);
  });
});
