/**
 * A model service with an OpenAI-compatible API, for this machine and for tests: it counts a token for each word, and tells
 * at `/usage` what it served. It answers with what it was told by a tool, if there is one to ask.
 *
 *     PORT=8080 node server.ts
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

interface Message {
  readonly role: string;
  readonly content?: string | null | readonly { readonly text?: string }[];
}
interface ChatRequest {
  readonly model: string;
  readonly messages: readonly Message[];
  readonly tools?: readonly { readonly function: { readonly name: string } }[];
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean };
}

/** A model whose quota is used up. */
const WITHOUT_QUOTA = "exhausted";

const served = { requests: 0, prompt_tokens: 0, completion_tokens: 0, traceparents: [] as unknown[] };

const wordsOf = (text: string): readonly string[] => text.split(/\s+/).filter((word) => word !== "");
const textOf = ({ content }: Message): string =>
  typeof content === "string" ? content : (content ?? []).map(({ text = "" }) => text).join(" ");

/** Asks the first tool there is about the last word of a question, and then tells what it said. */
function answer({ messages, tools }: ChatRequest): { readonly text: string; readonly call?: object } {
  const last = messages.at(-1) ?? { role: "user", content: "" };
  const name = tools?.[0]?.function.name;
  if (last.role === "tool") return { text: `I was told: ${textOf(last)}.` };
  if (name === undefined) return { text: `You asked: ${textOf(last)}` };
  const word = wordsOf(textOf(last)).at(-1)?.replace(/\W/g, "") ?? "";
  return {
    text: "",
    call: { id: "call_1", type: "function", function: { name, arguments: JSON.stringify({ word }) } },
  };
}

function complete(request: ChatRequest, response: ServerResponse): void {
  const { text, call } = answer(request);
  const prompt_tokens = request.messages.reduce((sum, message) => sum + wordsOf(textOf(message)).length, 0);
  const completion_tokens = wordsOf(text).length + (call === undefined ? 0 : 1);
  const usage = { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
  served.requests += 1;
  served.prompt_tokens += prompt_tokens;
  served.completion_tokens += completion_tokens;
  const finish_reason = call === undefined ? "stop" : "tool_calls";
  const whole = { id: `answer_${served.requests}`, created: 0, model: request.model };
  if (request.stream !== true) {
    const message = { role: "assistant", content: text, ...(call && { tool_calls: [call] }) };
    sendJson(response, 200, { ...whole, choices: [{ index: 0, message, finish_reason }], usage });
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (chunk: object): void => void response.write(`data: ${JSON.stringify({ ...whole, ...chunk })}\n\n`);
  const choose = (delta: object, finish: string | null = null) =>
    send({ choices: [{ index: 0, delta, finish_reason: finish }] });
  for (const word of text.split(/(?<= )/)) if (word !== "") choose({ role: "assistant", content: word });
  if (call !== undefined) choose({ role: "assistant", tool_calls: [{ index: 0, ...call }] });
  choose({}, finish_reason);
  if (request.stream_options?.include_usage === true) send({ choices: [], usage });
  response.end("data: [DONE]\n\n");
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function readBody(request: IncomingMessage): Promise<ChatRequest> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece);
  return JSON.parse(Buffer.concat(pieces).toString());
}

const server = createServer(async (request, response) => {
  if (request.url === "/usage") return sendJson(response, 200, served);
  if (request.url !== "/v1/chat/completions") return sendJson(response, 404, { error: { message: "not here" } });
  const asked = await readBody(request);
  if (asked.model === WITHOUT_QUOTA) {
    const message = "You exceeded your current quota, please check your plan and billing details.";
    return sendJson(response, 429, { error: { message, type: "insufficient_quota", code: "insufficient_quota" } });
  }
  served.traceparents.push(request.headers.traceparent);
  complete(asked, response);
});

server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => {
  console.log(`port: ${(server.address() as AddressInfo).port}`);
});
process.once("SIGTERM", () => server.close());
