import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Call, readCall } from "./call-body.ts";
import { ENDPOINTS, type Endpoint } from "./endpoints.ts";
import { DEFAULT_SETTINGS } from "./gateway.ts";

const endpoint = (path: string): Endpoint => ENDPOINTS.find((one) => one.path === path) as Endpoint;
const CHAT = endpoint("/chat/completions");
const MESSAGES = [{ role: "user", content: "hello" }];

function read(body: object, settings = {}, on = CHAT): { readonly call: Call; readonly sent: Record<string, unknown> } {
  const call = readCall(on, Buffer.from(JSON.stringify(body)), { ...DEFAULT_SETTINGS, ...settings });
  return { call, sent: JSON.parse(String(call.body)) };
}

describe("what goes upstream", () => {
  it("has a bound for its answer, where it had none, under the name that the service knows", () => {
    const body = { model: "small", messages: MESSAGES };
    expect(read(body).sent).toEqual({ ...body, max_completion_tokens: 4_096 });
    const settings = { outputLimitField: "max_tokens", defaultOutputTokens: 10 };
    expect(read(body, settings).sent).toEqual({ ...body, max_tokens: 10 });
    expect(read({ ...body, max_tokens: 5 }, settings).sent).toEqual({ ...body, max_tokens: 5 });
  });

  it("asks for usage beside what the client asks for, and has nothing that is null", () => {
    const options = { include_obfuscation: false };
    const { call, sent } = read({
      model: "small",
      messages: MESSAGES,
      stream: true,
      stream_options: options,
      models: null,
    });
    expect(sent).toMatchObject({ stream_options: { include_obfuscation: false, include_usage: true } });
    expect(sent).not.toHaveProperty("models");
    expect(call.showsUsage).toBe(false);
  });

  it("may have fields that the operator knows", () => {
    const body = { model: "small", messages: MESSAGES, keep_alive: "5m" };
    expect(() => read(body)).toThrow("keep_alive is not let through");
    expect(read(body, { allowedFields: new Set(["keep_alive"]) }).sent).toMatchObject({ keep_alive: "5m" });
  });
});

describe("the most that a call uses", () => {
  it("is at least a token for each byte of text, whatever the text is", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" })), (texts) => {
        const messages = texts.map((content) => ({ role: "user", content }));
        const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
        expect(read({ model: "small", messages }).call.most.input).toBeGreaterThanOrEqual(bytes);
      }),
    );
  });

  it("has a number for each picture, and not its bytes", () => {
    const url = `data:image/png;base64,${"A".repeat(1_000_000)}`;
    const content = [
      { type: "image_url", image_url: { url } },
      { type: "image_url", image_url: { url: "https://x.org/a.png" } },
    ];
    const { input } = read({ model: "small", messages: [{ role: "user", content }] }).call.most;
    expect(input).toBeGreaterThan(100_000);
    expect(input).toBeLessThan(101_000);
    const part = { type: "input_image", image_url: url };
    const response = { model: "small", input: [{ role: "user", content: [part] }] };
    expect(read(response, {}, endpoint("/responses")).call.most.input).toBeLessThan(51_000);
  });

  it("has the larger of two bounds, for every answer, and none for embeddings", () => {
    const body = { model: "small", messages: MESSAGES, max_tokens: 7, max_completion_tokens: 5, n: 3 };
    expect(read(body).call.most.output).toBe(21);
    expect(read({ model: "small", input: [[1, 2], [3]] }, {}, endpoint("/embeddings")).call.most.output).toBe(0);
  });
});
